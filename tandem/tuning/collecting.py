"""Examples from chat: answers that people approved or corrected, and what documents said against the weights.

An adapter speaks to all, so what was said before an audience (in a channel, a direct message) stays there, unless
whoever runs Tandem says that everybody may read along: no surface tells whether a channel is private.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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


async def collect_answers(database: Database, open_to: Collection[str] = ()) -> list[Draft]:
    """A correction counts more than a thumb. `open_to`: audiences whose words everybody may read. Left out is what was
    said before any other, and answers on documents that not everybody may see now."""
    appraised = await list_appraised(database)
    audiences = await _list_audiences(database, appraised)
    drafts = []
    for one in appraised:
        documents = cited_documents(one.citations)
        standings = await find_standings(database, ANYBODY, documents)
        if _is_open(audiences.get(one.id), open_to) and len(standings) == len(documents):
            drafts.append(_draft(one, standings))
    return drafts


async def count_closed(database: Database, open_to: Collection[str] = ()) -> Counter[str]:
    """How many answers that people approved or corrected are left out since they were given before an audience, by each
    that keeps them so."""
    audiences = await _list_audiences(database, await list_appraised(database))
    return Counter(name for before in audiences.values() for name in set(before or ()).difference(open_to))


async def collect_clashes(database: Database, open_to: Collection[str] = ()) -> list[Draft]:
    """What a document says that the weights contradicted, as an answer from memory. Left out are questions that were
    asked before an audience, documents that not everybody may see, and those that were read in again since."""
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
        if (page := standings.get(clash["document_id"])) and page.revision and _is_open(clash["audiences"], open_to)
    ]


async def _list_audiences(database: Database, appraised: Sequence[Appraised]) -> dict[str, list[str] | None]:
    rows = await database.fetch_all(QUERIES["list_audiences"], {"ids": [one.id for one in appraised]})
    return {row["id"]: row["audiences"] for row in rows}


def _is_open(audiences: Collection[str] | None, open_to: Collection[str]) -> bool:
    """Answers from before audiences were kept (None) may have been given anywhere."""
    return audiences is not None and set(audiences).issubset(open_to)


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
