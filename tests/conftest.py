"""Real parts for every test: an embedded Postgres and a model server for the run, a fresh database for each test."""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import hypothesis
import psycopg
import pytest

from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.settings import Settings

MODEL_START_S = 60
hypothesis.settings.register_profile("tandem", deadline=None)  # no test is about how fast a busy machine is
hypothesis.settings.load_profile("tandem")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Processes that a test starts inherit it from a run in the background, and no ctrl-C would reach them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
_numbers = itertools.count()


@contextmanager
def open_home() -> Iterator[Path]:
    """A home for an embedded Postgres, outside pytest's folder: a second run would shut Postgres's user out of that."""
    with tempfile.TemporaryDirectory(prefix="tandem-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with open_home() as folder:
        yield folder


@pytest.fixture(scope="session")
def server_conninfo(home: Path) -> Iterator[str]:
    """The session's Postgres, whose database `tandem` is migrated and serves as the template of all others."""
    settings = Settings(home=home, database_url=None, _env_file=None)
    conninfo = ensure_server(settings)
    migrate(conninfo)
    yield conninfo
    stop_server_if_idle(settings, conninfo)


@pytest.fixture
def database_url(server_conninfo: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = server_conninfo.replace("dbname=tandem", "dbname=postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE tandem".encode())
    yield server_conninfo.replace("dbname=tandem", f"dbname={name}")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One real model server, with the packaged weights, for the whole session."""
    folder = tmp_path_factory.mktemp("model")
    environment = os.environ | {"TANDEM_HOME": str(folder), "TANDEM_MODEL_PORT": "0"}
    log = (folder / "log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "tandem.models.server"], env=environment, stderr=log)
    address = folder / "run" / "model.url"
    deadline = time.monotonic() + MODEL_START_S
    try:
        while not address.exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        url = address.read_text().strip()
        assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
        yield url
    finally:
        process.terminate()
        process.wait(15)
        log.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a fresh home on this test's database; the model server is not started, no route is left to chance."""
    return Settings(home=tmp_path / "home", database_url=database_url, explore=0.0, _env_file=None)


@pytest.fixture
def model_settings(settings: Settings, model_url: str) -> Settings:
    """The same, with the session's model server."""
    return settings.model_copy(update={"model_url": model_url})


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    async with Database.open(settings) as opened:
        yield opened
