"""Disorder: all that may befall the processes of an installation, at random, and how often it did."""

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import psycopg

from index.wakeups import QUEUE, send_wakeup
from tandem.db.server import ensure_server
from tandem.errors import DatabaseUnavailable
from tandem.models.endpoint import find_healthy, read_address
from tandem.settings import Settings
from tests.workers.conftest import Crew

MODEL_START_S = 60.0
T = TypeVar("T")


@dataclass
class Stage:
    """The processes of one installation: workers, a beat, a model server and the embedded Postgres."""

    crew: Crew
    size: int
    random: random.Random
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    beat: subprocess.Popen[bytes] | None = None
    model: subprocess.Popen[bytes] | None = None
    embedded: int = 0
    """Texts that model servers turned into vectors before they were killed."""

    @property
    def settings(self) -> Settings:
        return self.crew.settings

    async def set_up(self) -> None:
        """Brings up whatever is not there, and waits for Postgres and the model server to answer."""
        await asyncio.to_thread(ensure_server, self.settings)
        if self.model is None:
            self.model = self._start_model()
            deadline = time.monotonic() + MODEL_START_S
            while await find_healthy(self.settings) is None:
                assert self.model.poll() is None
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < self.size:
            self.workers.append(self.crew.start("worker"))
        self.beat = self.beat or self.crew.start("beat")

    async def tear_down(self) -> None:
        self.crew.stop()
        if self.model is not None:
            self.model.terminate()
            await asyncio.to_thread(self.model.wait)

    async def count_embedded(self) -> int:
        """Texts embedded so far, also for work that was lost."""
        url = read_address(self.settings)
        try:
            async with httpx.AsyncClient(timeout=5) as http:
                page = (await http.get(f"{url}/metrics")).text
        except httpx.HTTPError:
            return self.embedded
        found = re.search(r"^tandem_embedded_texts_total (\S+)", page, re.MULTILINE)
        return self.embedded + int(float(found[1]) if found else 0)

    async def kill_worker(self) -> None:
        worker = self.workers.pop(self.random.randrange(len(self.workers)))
        worker.kill()
        worker.wait()
        await self._breathe()
        self.workers.append(self.crew.start("worker"))

    async def stun_worker(self) -> None:
        """It comes back when its lease has run out, and knows nothing of that."""
        worker = self.random.choice(self.workers)
        worker.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.settings.lease_s * self.random.uniform(0.5, 2))
        finally:
            worker.send_signal(signal.SIGCONT)

    async def kill_beat(self) -> None:
        if self.beat is not None:
            self.beat.kill()
            self.beat.wait()
        await self._breathe()
        self.beat = self.crew.start("beat")

    async def kill_model(self) -> None:
        if self.model is not None:
            self.embedded = await self.count_embedded()
            self.model.kill()
            self.model.wait()
        await self._breathe()
        self.model = self._start_model()

    async def restart_postgres_fast(self) -> None:
        await self._signal_postgres(signal.SIGINT)

    async def restart_postgres_immediately(self) -> None:
        await self._signal_postgres(signal.SIGQUIT)

    async def kill_postgres(self) -> None:
        await self._signal_postgres(signal.SIGKILL)

    async def drop_messages(self) -> None:
        await self.insist(lambda: self.crew.database.execute(f"DELETE FROM pgmq.q_{QUEUE}".encode()))

    async def double_messages(self) -> None:
        for _ in range(self.random.randint(2, 8)):
            await send_wakeup(self.settings, self.crew.database.conninfo)

    async def insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Tries again while Postgres is away, as a person would."""
        while True:
            try:
                return await act()
            except (DatabaseUnavailable, psycopg.OperationalError):
                await asyncio.sleep(0.2)

    async def _signal_postgres(self, number: signal.Signals) -> None:
        pidfile = self.settings.home / "postgres" / "postmaster.pid"
        try:
            os.kill(int(pidfile.read_text().split()[0]), number)
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return  # it is just being started
        await self._breathe()
        await asyncio.to_thread(ensure_server, self.settings)

    async def _breathe(self) -> None:
        await asyncio.sleep(self.random.uniform(0, 1.5))

    def _start_model(self) -> subprocess.Popen[bytes]:
        own = {"TANDEM_HOME": str(self.settings.home), "TANDEM_MODEL_PORT": "0", "DATABASE_URL": "", "MODEL_URL": ""}
        with Path(self.crew.folder.parent / "model.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "tandem.models.server"], env=os.environ | own, stderr=log)


HARMS: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    Stage.kill_worker,
    Stage.kill_worker,
    Stage.kill_worker,
    Stage.stun_worker,
    Stage.kill_beat,
    Stage.kill_model,
    Stage.restart_postgres_fast,
    Stage.restart_postgres_immediately,
    Stage.kill_postgres,
    Stage.drop_messages,
    Stage.drop_messages,
    Stage.double_messages,
)
"""Each comes as often as it is named here before they all come again."""


@asynccontextmanager
async def disorder(stage: Stage, pause_s: float) -> AsyncIterator[Counter[str]]:
    """One harm after another while the block runs, with that pause between two on average. Yields their counts."""
    done: Counter[str] = Counter()

    async def rage() -> None:
        while True:
            for harm in stage.random.sample(HARMS, len(HARMS)):
                await asyncio.sleep(stage.random.uniform(0, 2 * pause_s))
                done[harm.__name__] += 1
                await harm(stage)
                if enough.is_set():
                    return

    enough = asyncio.Event()
    raging = asyncio.create_task(rage())
    try:
        yield done
    finally:
        enough.set()
        await raging
