"""Passages drawn from the whole index, for whoever wants to see what is in it rather than what fits a question."""

from dataclasses import dataclass
from datetime import datetime

from index.audience import Viewer
from index.reader import read_as
from tandem.db.pool import Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "passages.sql")
SHORTEST = 200
"""Characters; a shorter one seldom says anything that could be asked for."""


@dataclass(frozen=True)
class Passage:
    """`revision` is a hash of its document's content."""

    document_id: int
    source: str
    path: str
    title: str
    heading: str
    text: str
    revision: str
    licence: str | None
    indexed_at: datetime | None


async def draw_passages(
    database: Database, viewer: Viewer, *, most: int, each: int = 3, source: str | None = None
) -> list[Passage]:
    """At most `each` of a document, spread over it; the same ones as long as nothing changes."""
    parameters = {"most": most, "each": each, "source": source, "shortest": SHORTEST}
    async with read_as(database, viewer) as connection:
        rows = await (await connection.execute(QUERIES["draw_passages"], parameters)).fetchall()
    return [Passage(**row) for row in rows]
