"""Examples from chat: answers that people approved or corrected, and what documents said against the weights."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from graph.answers import Citation, cited_documents
from graph.prompts import ask_numbered, write_reply
from graph.records import Appraised, list_appraised
from graph.sentences import strip_citations
from graph.support import content_terms
from index.audience import ANYWHERE, Viewer
from index.standing import Standing, find_standings
from tandem.db.pool import Database
from tandem.models.snapshot import SeenDocument
from tandem.tuning.examples import QUERIES, Draft, Turn, join_licences
from tandem.tuning.files import converse

ANYBODY = Viewer(ANYWHERE)
"""Sees what everybody may see: an adapter speaks to all, so nothing else goes into one."""
OWN, UNKNOWN = "own", "unknown"


async def collect_answers(database: Database) -> list[Draft]:
    """A correction counts more than a thumb. Left out are answers on documents that not everybody may see now."""
    drafts = []
    for appraised in await list_appraised(database):
        documents = cited_documents(appraised.citations)
        standings = await find_standings(database, ANYBODY, documents)
        if len(standings) < len(documents):
            continue
        drafts.append(_draft(appraised, standings))
    return drafts


async def collect_clashes(database: Database) -> list[Draft]:
    """What a document says that the weights contradicted, as an answer from memory. Left out are documents that not
    everybody may see, and those that were read in again since."""
    clashes = await database.fetch_all(QUERIES["list_clashes"])
    standings = await find_standings(database, ANYBODY, [clash["document_id"] for clash in clashes])
    return [
        Draft(
            messages=converse(clash["question"], strip_citations(clash["answer"]).strip()),
            place=f"clash:{clash['id']}",
            origin=f"{page.source}/{page.path}",
            licence=page.licence or UNKNOWN,
            author=clash["adapter"] or "the model",
            documents=(_note(page, page.revision, page.indexed_at),),
        )
        for clash in clashes
        if (page := standings.get(clash["document_id"])) and page.revision
    ]


def _draft(appraised: Appraised, standings: Mapping[int, Standing]) -> Draft:
    """What was cited stands before the model again, as it does when it reads passages, if the answer stands there: else
    citing what is not there would be taught."""
    answer, citations = strip_citations(appraised.wanted).strip(), appraised.citations
    holding = (n for n, one in enumerate(citations, 1) if _holds(one, appraised.question, answer))
    number = next(holding, None)
    if number is None:
        messages = converse(appraised.question, answer)
    else:
        asked = ask_numbered(appraised.question, [(one.title, one.quote) for one in citations])
        messages = (
            *(Turn(role=one.role, content=one.content) for one in asked),
            Turn(role="assistant", content=write_reply(number, answer)),
        )
    return Draft(
        messages=messages,
        place=f"answer:{appraised.id}",
        origin=f"conversation:{appraised.conversation}",
        licence=OWN if number is None and appraised.is_corrected else _state_licence(citations, standings),
        author=appraised.person,
        documents=tuple(
            _note(standings[one.document_id], one.revision, one.indexed_at)
            for one in citations
            if one.document_id is not None and one.revision is not None
        ),
    )


def _holds(citation: Citation, question: str, answer: str) -> bool:
    """Whether what the answer adds to the question stands in the quotation."""
    added = content_terms(answer) - content_terms(question)
    return bool(added) and added <= content_terms(f"{citation.title} {citation.quote}")


def _state_licence(citations: Sequence[Citation], standings: Mapping[int, Standing]) -> str:
    """Of the documents whose words are quoted; without any, the words are the team's own."""
    now = {identity: standing.licence for identity, standing in standings.items()}
    stated = {one.licence or now.get(one.document_id or 0) or UNKNOWN for one in citations}
    return join_licences(stated) or OWN


def _note(cited: Standing, revision: str, indexed_at: datetime | None) -> SeenDocument:
    """The document, as it was when it was cited."""
    return SeenDocument(id=cited.id, source=cited.source, path=cited.path, revision=revision, indexed_at=indexed_at)
