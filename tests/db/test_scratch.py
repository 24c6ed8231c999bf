"""A scratch database has the tables and nothing else, and is gone however its block ends."""

import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tandem.db.scratch import PREFIX, open_scratch
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings


def databases(conninfo: str) -> set[str]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname ^@ %s", (PREFIX,)).fetchall()
    return {str(name) for (name,) in rows}


def test_it_is_empty_and_goes_with_the_block(settings: Settings, database_url: str) -> None:
    before = databases(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO audit_trail (actor, action, subject) VALUES ('a', 'b', 'c')")
    with open_scratch(settings) as own, open_scratch(settings) as other:
        assert own.database_url
        assert other.database_url
        names = {str(conninfo_to_dict(url)["dbname"]) for url in (own.database_url, other.database_url)}
        assert databases(database_url) - before == names
        assert own.broker_url is None
        with psycopg.connect(own.database_url) as connection:
            assert connection.execute("SELECT count(*) FROM audit_trail").fetchone() == (0,)
        left_open = psycopg.connect(own.database_url)
    assert databases(database_url) == before
    left_open.close()


def test_it_goes_when_the_block_fails(settings: Settings, database_url: str) -> None:
    before = databases(database_url)
    with pytest.raises(ZeroDivisionError), open_scratch(settings):
        1 / 0  # noqa: B018
    assert databases(database_url) == before


SLEEPER = """
import time
from tandem.db.scratch import open_scratch
from tandem.settings import read_settings
with open_scratch(read_settings()) as own:
    print(own.database_url, flush=True)
    time.sleep(60)
"""


def start_sleeper(settings: Settings) -> tuple[subprocess.Popen[str], str]:
    """A process inside its block, and its database's name."""
    environment = os.environ | {"DATABASE_URL": settings.database_url or "", "TANDEM_HOME": str(settings.home)}
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], env=environment, stdout=-1, stderr=-1, text=True)
    assert process.stdout
    return process, str(conninfo_to_dict(process.stdout.readline().strip())["dbname"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_goes_when_the_process_is_told_to_end(settings: Settings, database_url: str, number: signal.Signals) -> None:
    process, name = start_sleeper(settings)
    assert name in databases(database_url)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert name not in databases(database_url)
    assert process.returncode


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_in_use_stays(
    settings: Settings, database_url: str
) -> None:
    killed, left = start_sleeper(settings)
    busy, used = start_sleeper(settings)
    killed.kill()
    killed.communicate()
    assert {left, used} <= databases(database_url)
    deadline = time.monotonic() + 10
    while left in databases(database_url):  # Postgres needs a moment to notice that its client has gone
        assert time.monotonic() < deadline
        with open_scratch(settings):
            pass
    assert used in databases(database_url)
    busy.terminate()
    busy.communicate()


def test_a_role_that_may_make_none_is_told_so(settings: Settings, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE scratch_less LOGIN")
        try:
            humble = settings.model_copy(update={"database_url": make_conninfo(database_url, user="scratch_less")})
            with pytest.raises(DatabaseUnavailable, match="may not make a database"), open_scratch(humble):
                pass
        finally:
            connection.execute("DROP ROLE scratch_less")


def test_a_server_that_is_away_is_named(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": "host=127.0.0.1 port=1 dbname=x"})
    with pytest.raises(DatabaseUnavailable, match="does not answer"), open_scratch(away):
        pass
