"""Examples from chat: answers that people approved with a thumb, or corrected."""

import re
from datetime import datetime

from graph.answers import Citation, cited_documents
from graph.prompts import ask_numbered, write_reply
from graph.records import list_appraised
from graph.sentences import strip_citations
from index.audience import ANYWHERE, Viewer
from index.standing import Standing, find_standings
from tandem.db.pool import Database
from tandem.models.snapshot import SeenDocument
from tandem.tuning.examples import Draft, Turn
from tandem.tuning.files import converse

ANYBODY = Viewer(ANYWHERE)
"""Sees what everybody may see: an adapter speaks to all, so nothing else goes into one."""
_CITED = re.compile(r"\[(\d+)\]")
LICENCE = "own"


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
                licence=LICENCE,
                author=appraised.person,
                documents=tuple(
                    _note(standings[one.document_id], one.revision, one.indexed_at)
                    for one in appraised.citations
                    if one.document_id is not None and one.revision is not None
                ),
            )
        )
    return drafts


def _converse(question: str, wanted: str, citations: tuple[Citation, ...]) -> tuple[Turn, ...]:
    """What was cited stands before the model again, as it does when it reads passages."""
    if not citations:
        return converse(question, strip_citations(wanted).strip())
    asked = ask_numbered(question, [(one.title, one.quote) for one in citations])
    cited = _CITED.search(wanted)
    number = int(cited.group(1)) if cited and int(cited.group(1)) <= len(citations) else 1
    reply = write_reply(number, strip_citations(wanted).strip())
    return (*(Turn(role=one.role, content=one.content) for one in asked), Turn(role="assistant", content=reply))


def _note(cited: Standing, revision: str, indexed_at: datetime | None) -> SeenDocument:
    """The document, as it was when it was cited."""
    return SeenDocument(id=cited.id, source=cited.source, path=cited.path, revision=revision, indexed_at=indexed_at)
