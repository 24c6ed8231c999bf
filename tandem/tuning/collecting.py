"""Examples from chat: answers that people approved with a thumb, or corrected."""

import re
from collections.abc import Mapping, Sequence

from graph.answers import Citation, cited_documents
from graph.prompts import ask_numbered, write_reply
from graph.records import list_appraised
from graph.sentences import strip_citations
from index.audience import ANYWHERE, Viewer
from index.standing import Standing, find_standings
from tandem.db.pool import Database
from tandem.models.snapshot import SeenDocument
from tandem.tuning.examples import Draft, Turn, join_licences
from tandem.tuning.files import converse

ANYBODY = Viewer(ANYWHERE)
"""Sees what everybody may see: an adapter speaks to all, so nothing else goes into one."""
_CITED = re.compile(r"\[(\d+)\]")
OWN, UNKNOWN = "own", "unknown"


async def collect_answers(database: Database) -> list[Draft]:
    """A correction counts more than a thumb. Left out are answers on documents that not everybody may see now."""
    drafts = []
    for appraised in await list_appraised(database):
        documents = cited_documents(appraised.citations)
        standings = await find_standings(database, ANYBODY, documents)
        if len(standings) < len(documents):
            continue
        drafts.append(
            Draft(
                messages=_converse(appraised.question, appraised.wanted, appraised.citations),
                place=f"answer:{appraised.id}",
                origin=f"conversation:{appraised.conversation}",
                licence=_state_licence(appraised.citations, standings),
                author=appraised.person,
                documents=tuple(map(_note, filter(_is_known, appraised.citations))),
            )
        )
    return drafts


def _state_licence(citations: Sequence[Citation], standings: Mapping[int, Standing]) -> str:
    """Of the documents whose words are quoted; without any, the words are the team's own."""
    now = {identity: standing.licence for identity, standing in standings.items()}
    stated = {one.licence or now.get(one.document_id or 0) or UNKNOWN for one in citations}
    return join_licences(stated) or OWN


def _converse(question: str, wanted: str, citations: tuple[Citation, ...]) -> tuple[Turn, ...]:
    """What was cited stands before the model again, as it does when it reads passages."""
    if not citations:
        return converse(question, strip_citations(wanted).strip())
    asked = ask_numbered(question, [(one.title, one.quote) for one in citations])
    cited = _CITED.search(wanted)
    number = int(cited.group(1)) if cited and int(cited.group(1)) <= len(citations) else 1
    reply = write_reply(number, strip_citations(wanted).strip())
    return (*(Turn(role=one.role, content=one.content) for one in asked), Turn(role="assistant", content=reply))


def _is_known(citation: Citation) -> bool:
    return citation.document_id is not None and citation.revision is not None


def _note(citation: Citation) -> SeenDocument:
    return SeenDocument(
        id=citation.document_id or 0,
        source=citation.source or "",
        path=citation.uri,
        revision=citation.revision or "",
        indexed_at=citation.indexed_at,
    )
