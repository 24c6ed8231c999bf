"""The connection pool that every process talks to Postgres through."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector_async
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tandem.db.server import ensure_server
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings

CONNECT_TIMEOUT_S = 5.0
EMBEDDED_TIMEOUT_S = 2.0  # a server on the same machine answers in less, or has to be started
Connection = psycopg.AsyncConnection[DictRow]
Parameters = Mapping[str, Any]
log = logging.getLogger(__name__)


class Database:
    """A pool of connections whose rows are dicts; revives the embedded server if it was killed."""

    def __init__(self, settings: Settings, pool: AsyncConnectionPool[Connection], conninfo: str) -> None:
        self._settings = settings
        self.pool = pool
        self.conninfo = conninfo

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, *, max_size: int = 8) -> AsyncIterator["Database"]:
        """Opens the pool on a migrated database. Raises DatabaseUnavailable."""
        try:
            conninfo = await asyncio.to_thread(ensure_server, settings)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(f"Postgres does not answer: {error}") from error
        pool = AsyncConnectionPool[Connection](
            conninfo,
            min_size=1,
            max_size=max_size,
            open=False,
            kwargs={"row_factory": dict_row, "autocommit": True},
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
            timeout=CONNECT_TIMEOUT_S if settings.database_url else EMBEDDED_TIMEOUT_S,
        )
        await pool.open()
        try:
            yield cls(settings, pool, conninfo)
        finally:
            await pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode. Raises DatabaseUnavailable when none can be had."""
        try:
            connection = await self.pool.getconn()
        except (PoolTimeout, psycopg.OperationalError) as error:
            if self._settings.database_url:
                raise DatabaseUnavailable from error
            connection = await self._revive()
        try:
            yield connection
        finally:
            await self.pool.putconn(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside one transaction, committed at the end and rolled back on an error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch_all(self, query: bytes, parameters: Parameters | None = None) -> list[DictRow]:
        async with self.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    async def fetch_one(self, query: bytes, parameters: Parameters | None = None) -> DictRow | None:
        async with self.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchone()

    async def execute(self, query: bytes, parameters: Parameters | None = None) -> int:
        """Runs the query and returns the number of rows that it touched."""
        async with self.connection() as connection:
            return (await connection.execute(query, parameters)).rowcount

    async def _revive(self) -> Connection:
        try:
            await asyncio.to_thread(ensure_server, self._settings)
            return await self.pool.getconn(CONNECT_TIMEOUT_S)
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise DatabaseUnavailable from error


async def _configure(connection: Connection) -> None:
    await register_vector_async(connection)
