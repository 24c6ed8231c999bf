"""The kept answers: what was said, by which route, and all that the decision knew."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from graph.answers import Answer, Citation, Question, Receipt, Verdict
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.db.queries import load_queries

SQL = load_queries("graph", "records.sql")
_NAMESPACE = uuid.UUID("5d1bb6ad-8f0b-4a51-9e0c-6f6a52e3f0a7")
_CITATIONS = TypeAdapter(tuple[Citation, ...])
_RECEIPT = TypeAdapter(Receipt)


@dataclass(frozen=True)
class Appraised:
    """An answer that a person approved, or what they put in its place."""

    id: str
    conversation: str
    question: str
    wanted: str
    citations: tuple[Citation, ...]
    person: str
    is_corrected: bool


def answer_id(question: Question) -> str:
    """The id of the answer to this event, the same on every try."""
    return str(uuid.uuid5(_NAMESPACE, question.id))


async def find_answer(database: Database, question: Question) -> Answer | None:
    parameters = {"question_id": question.id, "conversation": question.conversation}
    row = await database.fetch_one(SQL["find_by_question"], parameters)
    return _read(row) if row else None


async def find_last_answer(database: Database, conversation: str) -> Answer | None:
    row = await database.fetch_one(SQL["find_last"], {"conversation": conversation})
    return _read(row) if row else None


async def find_visible_answer(database: Database, identity: str, viewer: Viewer) -> Answer | None:
    """The answer, if it was given in the viewer's workspace to audiences that are all theirs."""
    parameters = {"id": identity, "workspace": viewer.workspace, "audiences": sorted(viewer.audiences)}
    row = await database.fetch_one(SQL["find_visible"], parameters)
    return _read(row) if row else None


async def store_answer(
    database: Database, question: Question, standalone: str, answer: Answer, inputs: Mapping[str, object]
) -> None:
    """Keeps the answer; a second answer to the same event is dropped."""
    await database.execute(
        SQL["insert_answer"],
        {
            "id": answer.id,
            "question_id": question.id,
            "conversation": question.conversation,
            "question": answer.question,
            "standalone": standalone,
            "answer": answer.answer,
            "route": answer.route,
            "citations": _CITATIONS.dump_json(answer.citations).decode(),
            "receipt": json.dumps(asdict(answer.receipt)),
            "inputs": json.dumps(dict(inputs)),
            "workspace": question.viewer.workspace,
            "audiences": sorted(question.viewer.audiences),
        },
    )


async def drop_answer(database: Database, answer: Answer) -> None:
    """Forgets an answer that may not be given again."""
    await database.execute(SQL["delete_answer"], {"id": answer.id})


async def store_feedback(database: Database, identity: str, *, person: str, verdict: Verdict) -> bool:
    """Keeps the person's verdict; False when there is no such answer."""
    parameters = {"answer_id": identity, "person": person, "verdict": verdict}
    return await database.execute(SQL["upsert_feedback"], parameters) == 1


async def store_correction(database: Database, identity: str, *, person: str, text: str) -> bool:
    """Keeps what the person would have said; False when there is no such answer."""
    parameters = {"answer_id": identity, "person": person, "text": text}
    return await database.execute(SQL["upsert_correction"], parameters) == 1


async def list_appraised(database: Database) -> list[Appraised]:
    """Answers of all conversations, for whoever runs Tandem."""
    return [
        Appraised(**row | {"citations": _CITATIONS.validate_python(row["citations"])})
        for row in await database.fetch_all(SQL["list_appraised"])
    ]


def _read(row: Mapping[str, Any]) -> Answer:
    return Answer(
        id=row["id"],
        question=row["question"],
        answer=row["answer"],
        route=row["route"],
        citations=_CITATIONS.validate_python(row["citations"]),
        receipt=_RECEIPT.validate_python(row["receipt"]),
    )
