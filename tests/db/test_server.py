"""The embedded Postgres starts by itself, is shared, comes back whole after SIGKILL, and stops when idle."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings
from tests.conftest import open_home


@pytest.fixture(scope="module")
def own() -> Iterator[Settings]:
    """A server of this module's own, since it is killed here."""
    with open_home() as home:
        settings = Settings(home=home, database_url=None, _env_file=None)
        migrate(ensure_server(settings))
        yield settings
        stop_server_if_idle(settings, ensure_server(settings))


def postmaster(settings: Settings) -> int:
    return int((settings.home / "postgres" / "postmaster.pid").read_text().split()[0])


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_processes_that_start_together_share_one_server(own: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ensure_server, [own] * 4))) == 1


async def test_an_open_pool_goes_on_after_postgres_was_killed(own: Settings) -> None:
    async with Database.open(own) as database:
        await database.execute(b"CREATE TABLE kept (x int)")
        await database.execute(b"INSERT INTO kept VALUES (7)")
        killed = postmaster(own)
        os.kill(killed, signal.SIGKILL)
        while _is_alive(killed):
            await asyncio.sleep(0.05)
        assert await database.fetch_all(b"SELECT x FROM kept") == [{"x": 7}]
        await asyncio.to_thread(ensure_server, own)
        assert postmaster(own) != killed


def test_a_server_in_use_is_not_stopped_and_an_idle_one_is(own: Settings) -> None:
    conninfo = ensure_server(own)
    with psycopg.connect(conninfo):
        assert not stop_server_if_idle(own, conninfo)
    assert stop_server_if_idle(own, conninfo)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo)
    assert ensure_server(own) == conninfo


async def test_a_server_that_does_not_answer_is_named_with_the_remedy(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="host=127.0.0.1 port=1 dbname=x", _env_file=None)
    with pytest.raises(DatabaseUnavailable) as caught:
        async with Database.open(settings) as database:
            await database.fetch_one(b"SELECT 1")
    assert "DATABASE_URL" in caught.value.remedy
