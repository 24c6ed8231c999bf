"""Whoever asks for a connection gets one that works."""

import asyncio

import psycopg

from tandem.db.pool import Database
from tandem.settings import Settings


async def test_a_connection_that_the_server_ended_is_replaced(settings: Settings) -> None:
    async with Database.open(settings, max_size=1) as database:
        first = await database.fetch_one(b"SELECT pg_backend_pid() AS pid")
        assert first
        async with await psycopg.AsyncConnection.connect(database.conninfo, autocommit=True) as other:
            await other.execute(b"SELECT pg_terminate_backend(%s)", (first["pid"],))
            await asyncio.sleep(0.2)
        second = await database.fetch_one(b"SELECT pg_backend_pid() AS pid")
        assert second
        assert second["pid"] != first["pid"]
