"""The index over the chunks' vectors: there once the chunks are too many to compare each with a question."""

import logging

from psycopg.errors import DiskFull, OutOfMemory

from index.search import EXACT_UP_TO
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "vector_index.sql")
BUILD_LOCK = 7_139_003
log = logging.getLogger(__name__)


async def keep_vector_index(database: Database, *, exact_up_to: int = EXACT_UP_TO) -> None:
    """Builds the index, HNSW by cosine (Malkov & Yashunin, 2018), if there are more chunks and none is there.

    Takes minutes for a hundred thousand chunks; search goes on, exactly, until it is there. If it is broken off, the
    next call begins anew. Does nothing while another process builds it. Raises DatabaseUnavailable.
    """
    async with database.connection() as connection:
        lock = {"lock": BUILD_LOCK}
        row = await (await connection.execute(QUERIES["begin_building"], lock)).fetchone()
        if row is None or not row["locked"]:
            return
        try:
            # Under the lock: what another process has just built is not built again.
            wanted = await (await connection.execute(QUERIES["is_wanted"], {"exact_up_to": exact_up_to})).fetchone()
            if wanted is None or not wanted["wanted"]:
                return
            log.info("building the index over the vectors")
            try:
                await connection.execute(QUERIES["enlarge_memory"])
                await _build(connection)
            finally:
                await connection.execute(QUERIES["reset_memory"])
                await connection.execute(QUERIES["reset_workers"])
        finally:
            await connection.execute(QUERIES["end_building"], lock)


async def _build(connection: Connection) -> None:
    await connection.execute(QUERIES["drop_invalid"])
    try:
        await connection.execute(QUERIES["build"])
    except (DiskFull, OutOfMemory):
        log.warning("Postgres has too little shared memory for several processes to build the index; one builds it")
        await connection.execute(QUERIES["build_alone"])
        await connection.execute(QUERIES["drop_invalid"])
        await connection.execute(QUERIES["build"])
