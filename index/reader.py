"""The reader: a transaction that sees only what a viewer may see, whatever it asks for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from index.audience import Viewer
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "reader.sql")


@asynccontextmanager
async def read_as(database: Database, viewer: Viewer) -> AsyncIterator[Connection]:
    """One read-only snapshot under the role that row-level security binds. It cannot write, and ends with the block."""
    async with database.transaction() as connection:
        await connection.execute(QUERIES["become_reader"], prepare=False)
        parameters = {"workspace": viewer.workspace, "audiences": sorted(viewer.audiences)}
        await connection.execute(QUERIES["set_viewer"], parameters)
        yield connection
