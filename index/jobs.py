"""The ledger: looks at sources and the jobs that come of them. It alone is the truth; a message only says "look"."""

import asyncio
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg.rows import DictRow

from index.connectors.connector import SourceUnavailable
from index.documents import DocumentError, on_one_line
from index.indexing import fail_document, index_document, leave_document, remove_document
from index.leases import MAX_ATTEMPTS, Lease, LeaseLost, keep_alive, lease_job, retry, wait
from index.licences import LicenceRefused
from index.listing import fail_look, list_source
from index.sources import Source
from index.vector_index import keep_vector_index
from index.versions import KEPT_DAYS, promote_version, prune_versions
from index.wakeups import send_wakeup
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import (
    DatabaseUnavailable,
    ModelBusy,
    ModelMisconfigured,
    ModelRejected,
    ModelUnavailable,
    SourceError,
)
from tandem.models.client import ModelClient
from tandem.settings import Settings

QUERIES = load_queries("index", "jobs.sql")
SHOWN_FAILURES = 20
AT_ONCE = 6
"""Jobs that one worker does side by side: while one waits for its vectors, others are read, cut and written."""
SCHEDULE = "schedule"
"""Who asks for the looks that nobody asked for."""
WATCH, WEBHOOK = "watch", "webhook"
"""Who asks because something changed, but is no person."""
LookState = Literal["queued", "listing", "running", "done", "failed", "cancelled"]
ENDED: frozenset[LookState] = frozenset({"done", "failed", "cancelled"})
MEASURED = 3
"""Documents that must be done before the others' time is told from them."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DocumentCounts:
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0


@dataclass(frozen=True)
class ChunkCounts:
    """`embedded` were computed, `kept` are in the index without that, `removed` are gone."""

    embedded: int = 0
    kept: int = 0
    removed: int = 0


@dataclass(frozen=True)
class LookProgress:
    """`done` of `total` documents that need work; `total` is known once the listing is done. `met`: what that has found
    so far, where it takes long.

    `seconds_left` is told from the documents that are done, once there are enough of them. `error` is why the look
    failed, or what it is waiting for. `failures` are what the listing had to say, then "path: reason", the first
    SHOWN_FAILURES.
    """

    id: int
    source: str
    state: LookState
    done: int
    total: int
    documents: DocumentCounts
    chunks: ChunkCounts
    seconds: float
    error: str | None
    failures: tuple[str, ...]
    seconds_left: float | None = None
    met: int = 0


async def enqueue_look(
    database: Database,
    settings: Settings,
    source: Source,
    *,
    requested_by: str,
    accept_removals: bool = False,
) -> int:
    """Asks for a look at the source and returns its id; an open look takes the request in and lists once more.

    A look that a person asks for also retries the documents that failed. With `accept_removals` it believes a source
    that lists almost nothing. A broker that is down is no error. Raises SourceError when the source was removed.
    """
    parameters = {
        "source_id": source.id,
        "requested_by": requested_by,
        "by_hand": requested_by not in (SCHEDULE, WATCH, WEBHOOK),
        "is_news": requested_by != SCHEDULE,
        "accept_removals": accept_removals,
    }
    try:
        [row] = await database.fetch_all(QUERIES["add_look"], parameters)
    except psycopg.errors.ForeignKeyViolation as error:
        raise SourceError(f"The source {source.name} was removed.") from error
    await send_wakeup(settings, database.conninfo)
    return int(row["id"])


async def read_look(database: Database, look_id: int) -> LookProgress:
    """Raises SourceError when the look is gone, as it is once its source was removed."""
    row = await database.fetch_one(QUERIES["read_look"], {"look_id": look_id, "shown": SHOWN_FAILURES})
    if row is None:
        raise SourceError("There is no such look; its source was removed.")
    return LookProgress(
        id=row["id"],
        source=row["source"],
        state=row["state"],
        done=row["done"],
        total=row["total"],
        documents=DocumentCounts(row["added"], row["changed"], row["removed"], row["unchanged"], row["failed"]),
        chunks=ChunkCounts(row["chunks_embedded"], row["chunks_kept"], row["chunks_removed"]),
        seconds=row["seconds"],
        error=row["error"],
        failures=tuple(map(on_one_line, row["failures"])),
        seconds_left=_estimate(row),
        met=row["met"],
    )


def _estimate(row: DictRow) -> float | None:
    if row["state"] != "running" or row["error"] or row["done"] < MEASURED:
        return None
    return float(row["running_s"] / row["done"] * (row["total"] - row["done"]))


async def cancel_look(database: Database, source: Source, *, cancelled_by: str) -> int | None:
    """Ends the source's open look and returns its id; None when there is none.

    What was indexed stays, and what a worker has in hand is not written any more. What is missing comes with the next
    look, such as the schedule's.
    """
    async with database.transaction() as connection:
        await connection.execute(QUERIES["lock_source"], {"source_id": source.id})
        parameters = {"source_id": source.id, "cancelled_by": cancelled_by}
        row = await (await connection.execute(QUERIES["cancel_look"], parameters)).fetchone()
        if row is None:
            return None
        await connection.execute(QUERIES["cancel_jobs"], {"look_id": row["id"]})
        await connection.execute(QUERIES["forget_cursor"], {"source_id": source.id})
    return int(row["id"])


async def enqueue_due_looks(database: Database, settings: Settings) -> int:
    """Asks for a look at every source that none was asked for within the look interval; returns how many those are."""
    await database.execute(QUERIES["forget_old_looks"])
    await prune_versions(database, pruned_by=SCHEDULE, kept_days=KEPT_DAYS)
    added = await database.execute(
        QUERIES["add_due_looks"], {"interval_s": settings.look_interval_s, "requested_by": SCHEDULE}
    )
    if added:
        await send_wakeup(settings, database.conninfo)
    return added


async def is_work_due(database: Database) -> bool:
    """Whether `run_next_job` would find anything to do; costs no model server."""
    [row] = await database.fetch_all(QUERIES["is_work_due"])
    return bool(row["due"])


async def run_next_job(database: Database, model: ModelClient, settings: Settings, *, worker: str) -> bool:
    """Leases one job that is due, does it and records how it ended.

    False when none is due, or the model server is away or refuses everything. A fault of the document or the source is
    recorded, not raised. Raises DatabaseUnavailable or psycopg.OperationalError when the ledger cannot be written; the
    job's lease then runs out, and another worker takes it.
    """
    lease = await lease_job(database, settings, worker)
    if lease is None:
        await _close_looks(database)
        return False
    async with keep_alive(database, settings, lease):
        model_is_there = await _do(database, model, settings, lease)
    await _close_looks(database)
    return model_is_there


async def run_due_jobs(
    database: Database, model: ModelClient, settings: Settings, *, worker: str, may_go_on: Callable[[], bool]
) -> bool:
    """Does jobs until none is due or it may not go on; False when it did none. Raises what `run_next_job` raises.

    The first, which may be a listing, alone; then AT_ONCE side by side.
    """
    if not (may_go_on() and await run_next_job(database, model, settings, worker=worker)):
        return False

    async def work() -> None:
        while may_go_on() and await run_next_job(database, model, settings, worker=worker):
            pass

    for ended in await asyncio.gather(*(work() for _ in range(AT_ONCE)), return_exceptions=True):
        if ended is not None:
            raise ended
    return True


async def _do(database: Database, model: ModelClient, settings: Settings, lease: Lease) -> bool:
    try:
        if lease.attempt > MAX_ATTEMPTS:
            await _give_up(database, lease, f"Its worker died {MAX_ATTEMPTS} times while working on it.")
        elif lease.kind == "list":
            await list_source(database, model, settings, lease)
        elif lease.kind == "remove":
            await remove_document(database, lease)
        else:
            await index_document(database, model, settings, lease)
    except LeaseLost:
        log.info("job %d: cancelled, taken over by another worker, or its source was removed", lease.job_id)
    except (ModelUnavailable, ModelBusy) as error:
        await wait(database, lease, error.message)
        return False
    except ModelMisconfigured as error:
        await wait(database, lease, f"The model server refuses: {error}")
        return False
    except ModelRejected as error:
        await _give_up(database, lease, f"The model server refuses the request: {error.message}")
    except LicenceRefused as error:
        await _give_up(database, lease, error.message, error)
    except SourceUnavailable as error:
        await _try_later(database, lease, error)
    except (DocumentError, SourceError) as error:
        await _give_up(database, lease, f"{error.message} {error.remedy}" if lease.kind == "list" else error.message)
    except (DatabaseUnavailable, psycopg.OperationalError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a document brings up, the others go on, and the ledger says so
        await _record_fault(database, lease, error)
    return True


async def _try_later(database: Database, lease: Lease, error: SourceUnavailable) -> None:
    if lease.attempt < MAX_ATTEMPTS:
        await retry(database, lease, error.message)
    elif lease.kind == "list":
        await _give_up(database, lease, f"{error.message} {error.remedy}")
    else:
        await leave_document(database, lease, error.message)


async def _record_fault(database: Database, lease: Lease, error: Exception) -> None:
    # The frames without the message, which might quote the document.
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("job %d: attempt %d ended with %s\n%s", lease.job_id, lease.attempt, type(error).__name__, frames)
    reason = f"An unexpected fault ({type(error).__name__}); the worker's log says where."
    if lease.attempt >= MAX_ATTEMPTS:
        await _give_up(database, lease, reason)
    else:
        await retry(database, lease, reason)


async def _give_up(database: Database, lease: Lease, reason: str, refusal: LicenceRefused | None = None) -> None:
    try:
        if lease.kind == "list":
            await fail_look(database, lease, reason)
        else:
            await fail_document(database, lease, reason, refusal)
    except LeaseLost:
        log.info("job %d: cancelled, taken over by another worker, or its source was removed", lease.job_id)


async def _close_looks(database: Database) -> None:
    """Ends the looks whose jobs have all ended. After a job's own commit, so that the last of two workers sees both."""
    closed = await database.fetch_all(QUERIES["close_looks"])
    for row in closed:
        if row["version_id"] is not None:
            await promote_version(database, row["version_id"])
    if closed:
        await keep_vector_index(database)
