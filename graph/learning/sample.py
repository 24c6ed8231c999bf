"""Which kept answers are graded next: those that people corrected or judged first, then close calls and chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graph.answers import Route, Verdict
from graph.scope import find_scope
from index.audience import Viewer
from tandem.db.pool import Database
from tandem.db.queries import load_queries

QUERIES = load_queries("graph.learning", "learning.sql")


@dataclass(frozen=True)
class Logged:
    """A kept answer. `question` stands alone, behind the scope that it was asked in. `verdict` is what most people said
    of the answer; None where they are divided or said nothing."""

    id: str
    question: str
    answer: str
    route: Route
    viewer: Viewer
    correction: str | None
    verdict: Verdict | None


async def draw_next(database: Database, adapter: str | None) -> Logged | None:
    """The next answer to grade; None when all are graded under this adapter, as people judge them now."""
    row = await database.fetch_one(QUERIES["draw_next"], {"adapter": adapter})
    return _read(row) if row else None


async def count_tonight(database: Database) -> int:
    """How many were graded in the last 20 hours."""
    row = await database.fetch_one(QUERIES["count_tonight"])
    return int(row["graded"]) if row else 0


def _read(row: Mapping[str, Any]) -> Logged:
    ups, downs = row["ups"] or 0, row["downs"] or 0
    return Logged(
        row["id"],
        f"{find_scope(row['question'])} {row['standalone']}".strip(),
        row["answer"],
        row["route"],
        Viewer(row["workspace"], frozenset(row["audiences"])),
        row["correction"],
        "up" if ups > downs else "down" if downs > ups else None,
    )
