"""Examples: conversations whose last turn is what the model shall say, each with its origin, licence and author.

They are proposed first; only what a person approved trains.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, model_validator

from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import TandemError
from tandem.models.adapters import NAME
from tandem.models.snapshot import SeenDocument

Task = Literal["answers", "labels", "format", "tone", "language"]
State = Literal["proposed", "approved", "rejected"]
TASKS: tuple[Task, ...] = get_args(Task)
PROJECT = "house"
"""The project of whoever names none."""
_AND = " AND "
QUERIES = load_queries("tandem.tuning", "examples.sql")
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]


class TuningError(TandemError):
    """The examples cannot be used."""

    remedy = "`tandem tune --help` shows the steps; docs/tuning.md tells them in order."


class Turn(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: Text


class Draft(BaseModel):
    """An example that is not stored yet. The turns alternate, begin with the user's (after at most one of the system's)
    and end with the assistant's. What has no `place` of its own (an answer, a revision of a page) is known by its words
    and its origin."""

    model_config = ConfigDict(frozen=True)

    messages: tuple[Turn, ...]
    place: str | None = None
    origin: Text
    licence: Text
    author: Text
    documents: tuple[SeenDocument, ...] = ()

    @model_validator(mode="after")
    def _alternates(self) -> Self:
        spoken = [turn.role for turn in self.messages if turn.role != "system"]
        wanted = ["user", "assistant"] * (len(spoken) // 2)
        if not spoken or spoken != wanted or any(turn.role == "system" for turn in self.messages[1:]):
            raise ValueError("turns must alternate between user and assistant, and end with the assistant's")
        return self

    @property
    def licences(self) -> list[str]:
        """Of all whose words it holds."""
        return self.licence.split(_AND)

    @property
    def question(self) -> str:
        return self.messages[-2].content

    @property
    def answer(self) -> str:
        return self.messages[-1].content

    @property
    def text(self) -> str:
        """The turns as paragraphs: what one says ends with it."""
        return "\n\n".join(turn.content for turn in self.messages)


class Example(Draft):
    id: int
    project: str
    task: Task
    state: State
    added_at: datetime
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    cleared_by: str | None = None
    """Who says that its words, which look like instructions to the model, are none."""


class Count(BaseModel):
    """How many examples of a project's task are in a state."""

    model_config = ConfigDict(frozen=True)

    project: str
    task: Task
    state: State
    examples: int
    origins: int


_DOCUMENTS = TypeAdapter(tuple[SeenDocument, ...])
_MESSAGES = TypeAdapter(tuple[Turn, ...])


def join_licences(licences: Iterable[str]) -> str:
    return _AND.join(sorted(set(licences)))


async def add_examples(
    database: Database, drafts: Sequence[Draft], *, project: str, task: Task, approved_by: str | None = None
) -> int:
    """Proposes them, or approves them at once; returns how many are new or have other words than before. What changed
    is to be reviewed again, what did not keeps its state. Raises TuningError for a name that no adapter can have."""
    check_project_name(project)
    changed = 0
    async with database.transaction() as connection:
        for draft in drafts:
            parameters = {
                "project": project,
                "task": task,
                "messages": _MESSAGES.dump_json(draft.messages).decode(),
                "documents": _DOCUMENTS.dump_json(draft.documents).decode(),
                "state": "approved" if approved_by else "proposed",
                "reviewed_by": approved_by,
            } | draft.model_dump(include={"place", "origin", "licence", "author"})
            changed += (await connection.execute(QUERIES["add_example"], parameters)).rowcount
            await connection.execute(QUERIES["note_terms"], parameters)
    return changed


async def list_examples(database: Database, project: str, state: State | None = None) -> list[Example]:
    """In the order in which they were added."""
    rows = await database.fetch_all(QUERIES["list_examples"], {"project": project, "state": state})
    return [_read(row) for row in rows]


async def review_examples(
    database: Database,
    ids: Sequence[int],
    *,
    project: str,
    state: State,
    by: str,
    answer: str | None = None,
    cleared: bool = False,
) -> int:
    """Approves or rejects; with an `answer`, which replaces what is there, one. `cleared`: they are no instructions to
    the model, whatever they look like. Returns how many of those the project has."""
    parameters = {
        "project": project,
        "ids": list(ids),
        "state": state,
        "by": by,
        "answer": None if answer is None else json.dumps(answer),
        "cleared": cleared,
    }
    return await database.execute(QUERIES["review_examples"], parameters)


def check_project_name(project: str) -> None:
    """Raises TuningError, long before there is an adapter to name."""
    if not NAME.fullmatch(f"{project}.999"):
        raise TuningError(
            f"“{project}” is no name for a project: its adapters are named after it.",
            remedy="Use letters, digits, dots, dashes and underscores, 60 at most, and begin with a letter or a digit.",
        )


async def count_examples(database: Database) -> list[Count]:
    return [Count(**row) for row in await database.fetch_all(QUERIES["count_examples"])]


def _read(row: DictRow) -> Example:
    known: dict[str, Any] = dict(row)
    return Example(**known)
