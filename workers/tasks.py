"""What a message makes a worker do. Each task opens what it needs and closes it again."""

import asyncio
import logging
import os
import socket
import threading
import time

from index.jobs import AT_ONCE, enqueue_due_looks, is_work_due, run_due_jobs
from index.wakeups import send_wakeup
from tandem.db.pool import Database
from tandem.models.client import ModelClient
from tandem.settings import Settings

log = logging.getLogger(__name__)
TURN_S = 20.0
"""How long one message keeps a worker, which then sends itself the next: so none outlives its broker's patience."""


def run_jobs(settings: Settings, stopping: threading.Event) -> None:
    """Does jobs until none is due, the turn is over or the worker is to stop."""
    asyncio.run(_run_jobs(settings, stopping))


def look_at_sources(settings: Settings) -> None:
    """Asks for a look at every source that is due for one."""
    asyncio.run(_look_at_sources(settings))


def learn_routes(settings: Settings, stopping: threading.Event) -> bool:
    """One turn of the night's learning; says whether there is more to do."""
    return asyncio.run(_learn_routes(settings, stopping))


async def _run_jobs(settings: Settings, stopping: threading.Event) -> None:
    async with Database.open(settings, max_size=AT_ONCE + 2) as database:
        if await is_work_due(database):  # mostly not, and a model client takes longer to open than this takes to ask
            async with ModelClient.open(settings) as model:
                await _drain(database, model, settings, stopping)


async def _drain(database: Database, model: ModelClient, settings: Settings, stopping: threading.Event) -> None:
    worker = f"{socket.gethostname()}:{os.getpid()}"
    turn_ends = time.monotonic() + TURN_S

    def may_go_on() -> bool:
        return not stopping.is_set() and time.monotonic() < turn_ends

    while await run_due_jobs(database, model, settings, worker=worker, may_go_on=may_go_on):
        pass
    if time.monotonic() >= turn_ends:
        await send_wakeup(settings, database.conninfo)


async def _learn_routes(settings: Settings, stopping: threading.Event) -> bool:
    from graph.learning.night import learn  # brings the agent, which would make every worker start slowly

    turn_ends = time.monotonic() + TURN_S

    def may_go_on() -> bool:
        return not stopping.is_set() and time.monotonic() < turn_ends

    async with Database.open(settings, max_size=4) as database, ModelClient.open(settings) as model:
        outcome = await learn(database, model, settings, may_go_on)
    if isinstance(outcome, bool):
        return outcome and not stopping.is_set()
    log.info("the decision was fitted again: %s; in service: %s", outcome.reason, "yes" if outcome.passed else "no")
    return False


async def _look_at_sources(settings: Settings) -> None:
    async with Database.open(settings, max_size=1) as database:
        await enqueue_due_looks(database, settings)
