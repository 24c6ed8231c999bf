"""The index over the chunks' vectors: there once the chunks are too many to compare each with a question."""

import logging

from index.search import EXACT_UP_TO
from tandem.db.pool import Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "vector_index.sql")
BUILD_LOCK = 7_139_003
log = logging.getLogger(__name__)


async def keep_vector_index(database: Database) -> None:
    """Builds the index if there are more chunks than are compared one by one, and none is there.

    Takes minutes for a hundred thousand chunks; search goes on, exactly, until it is there. If it is broken off, the
    next call begins anew. Does nothing while another process builds it. Raises DatabaseUnavailable.
    """
    [row] = await database.fetch_all(QUERIES["is_wanted"], {"exact_up_to": EXACT_UP_TO})
    if row["wanted"]:
        await build_vector_index(database)


async def build_vector_index(database: Database) -> None:
    """Builds the index, HNSW by cosine (Malkov & Yashunin, 2018), whatever the number of chunks."""
    async with database.connection() as connection:
        lock = {"lock": BUILD_LOCK}
        row = await (await connection.execute(QUERIES["begin_building"], lock)).fetchone()
        if row is None or not row["locked"]:
            return
        try:
            log.info("building the index over the vectors")
            for statement in ("enlarge_memory", "drop_invalid", "build", "reset_memory"):
                await connection.execute(QUERIES[statement])
        finally:
            await connection.execute(QUERIES["end_building"], lock)
