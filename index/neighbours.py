"""Neighbours: what a passage needs of the ones before and after it under the same headings, to be read."""

import re
from collections.abc import Sequence

from psycopg.rows import DictRow

from index.chunks import estimate_tokens
from tandem.db.pool import Connection
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "search.sql")
MOST_TOKENS = 60
"""Of what is joined on either side, as `estimate_tokens` counts them."""
_UNIT = re.compile(r".+?(?:[.!?][\"'”’)\]*_]*\s+|\n+|\Z)", re.DOTALL)  # a sentence or a line, with the space after it


async def join_neighbours(
    connection: Connection, version_id: int, rows: Sequence[DictRow]
) -> dict[int, tuple[str, str]]:
    """What stands right before and right after each hit, by its id: whole sentences or lines of its neighbours.

    Of what the viewer may read, as all that this connection reads. Each is an exact span of the document that the hit's
    text goes on from, MOST_TOKENS long at most, and empty where a heading or the document's end is nearer.
    """
    parameters = {
        "version_id": version_id,
        "ids": [row["id"] for row in rows],
        "documents": [row["document_id"] for row in rows],
        "positions": [row["position"] for row in rows],
        "headings": [row["heading"] for row in rows],
    }
    found = await (await connection.execute(QUERIES["find_neighbours"], parameters)).fetchall()
    before = {row["id"]: take_end(row["text"], MOST_TOKENS) for row in found if row["is_before"]}
    after = {row["id"]: take_beginning(row["text"], MOST_TOKENS) for row in found if not row["is_before"]}
    return {row["id"]: (before.get(row["id"], ""), after.get(row["id"], "")) for row in rows}


def take_end(text: str, tokens: int) -> str:
    """The last sentences or lines of a text, as many as fit."""
    units = _UNIT.findall(text)
    return "".join(units[len(units) - _count_fitting(units[::-1], tokens) :])


def take_beginning(text: str, tokens: int) -> str:
    """The first ones."""
    units = _UNIT.findall(text)
    return "".join(units[: _count_fitting(units, tokens)])


def _count_fitting(units: Sequence[str], tokens: int) -> int:
    for count, unit in enumerate(units):
        tokens -= estimate_tokens(unit)
        if tokens < 0:
            return count
    return len(units)
