"""Leases: how one worker at a time holds a job, and what becomes of it when the worker goes silent."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from index.sources import Source
from tandem.cancelling import end_tasks
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries
from tandem.errors import DatabaseUnavailable, TandemError
from tandem.settings import Settings

QUERIES = load_queries("index", "leases.sql")
MAX_ATTEMPTS = 3
MAX_WAIT_S = 30.0
log = logging.getLogger(__name__)


class LeaseLost(TandemError):
    """Another worker holds the job now, or its source was removed."""


@dataclass(frozen=True)
class Lease:
    """One job, held. `token` is this lease's own; `attempt` counts from 1, `waits` from 0.

    `content_hash` is of what the document said when it was last indexed.
    """

    job_id: int
    look_id: int
    kind: str
    document_id: int | None
    path: str
    stamp: str | None
    fault: str | None
    token: int
    attempt: int
    waits: int
    version_id: int | None
    content_hash: bytes | None
    source: Source


async def lease_job(database: Database, settings: Settings, worker: str) -> Lease | None:
    """Takes the job that has been due longest: a queued one, or one whose worker went silent. None if none is due."""
    row = await database.fetch_one(QUERIES["lease_job"], {"worker": worker, "lease_s": settings.lease_s})
    if row is None:
        return None
    source = Source(
        row["source_id"],
        row["name"],
        row["source_kind"],
        row["location"],
        row["workspace"],
        row["audience"],
        row["options"],
    )
    return Lease(
        row["id"],
        row["look_id"],
        row["kind"],
        row["document_id"],
        row["path"],
        row["stamp"],
        row["fault"],
        row["token"],
        row["attempts"],
        row["waits"],
        row["version_id"],
        row["content_hash"],
        source,
    )


@asynccontextmanager
async def keep_alive(database: Database, settings: Settings, lease: Lease) -> AsyncIterator[None]:
    """Prolongs the lease while the block runs. Losing it interrupts nothing: `hold` will refuse the result."""
    beat = asyncio.create_task(_beat(database, settings, lease))
    try:
        yield
    finally:
        await end_tasks(beat)


async def hold(connection: Connection, lease: Lease) -> None:
    """Locks the job's row for the caller's transaction. Raises LeaseLost when it is no longer this lease's.

    Every transaction locks in the order source, job, document, terms, sizes: so none deadlocks.
    """
    await connection.execute(QUERIES["lock_source"], {"source_id": lease.source.id})
    parameters = {"job_id": lease.job_id, "token": lease.token}
    if await (await connection.execute(QUERIES["lock_job"], parameters)).fetchone() is None:
        raise LeaseLost


async def finish(connection: Connection, lease: Lease, outcome: str, counts: tuple[int, int, int] = (0, 0, 0)) -> None:
    """Records the job as done, with its chunks embedded, kept and removed."""
    embedded, kept, removed = counts
    parameters = {"job_id": lease.job_id, "outcome": outcome, "embedded": embedded, "kept": kept, "removed": removed}
    await connection.execute(QUERIES["finish_job"], parameters)


async def finish_failed(connection: Connection, lease: Lease, reason: str, removed: int = 0) -> None:
    parameters = {"job_id": lease.job_id, "reason": reason, "removed": removed}
    await connection.execute(QUERIES["fail_job"], parameters)


async def retry(database: Database, lease: Lease, reason: str) -> None:
    """Gives the job back, to be tried again a little later."""
    await _put_back(database, lease, reason, delay_s=2.0**lease.attempt, waited=False)


async def wait(database: Database, lease: Lease, reason: str) -> None:
    """Gives the job back without using up an attempt: what it needs is away."""
    await _put_back(database, lease, reason, delay_s=min(2.0 ** min(lease.waits, 10), MAX_WAIT_S), waited=True)


async def _put_back(database: Database, lease: Lease, reason: str, *, delay_s: float, waited: bool) -> None:
    parameters = {
        "job_id": lease.job_id,
        "token": lease.token,
        "reason": reason,
        "delay_s": delay_s,
        "waits": int(waited),
    }
    await database.execute(QUERIES["put_back"], parameters)


async def _beat(database: Database, settings: Settings, lease: Lease) -> None:
    parameters = {"job_id": lease.job_id, "token": lease.token, "lease_s": settings.lease_s}
    while True:
        await asyncio.sleep(settings.lease_s / 3)
        try:
            if not await database.execute(QUERIES["prolong"], parameters):
                return
        except (DatabaseUnavailable, psycopg.OperationalError):
            log.warning("job %d: its lease could not be prolonged; trying again", lease.job_id)
