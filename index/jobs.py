"""The ledger: looks at sources and the jobs that come of them. It alone is the truth; a message only says "look"."""

import logging
import traceback
from dataclasses import dataclass
from typing import Literal

import psycopg

from index.connectors.connector import SourceUnavailable
from index.documents import DocumentError, on_one_line
from index.indexing import fail_document, index_document, leave_document, remove_document
from index.leases import MAX_ATTEMPTS, Lease, LeaseLost, keep_alive, lease_job, retry, wait
from index.listing import fail_look, list_source
from index.sources import Source
from index.vector_index import keep_vector_index
from index.versions import promote_version
from index.wakeups import send_wakeup
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import DatabaseUnavailable, ModelBusy, ModelUnavailable, SourceError
from tandem.models.client import ModelClient
from tandem.settings import Settings

QUERIES = load_queries("index", "jobs.sql")
SHOWN_FAILURES = 20
SCHEDULE = "schedule"
"""Who asks for the looks that nobody asked for."""
WATCH, WEBHOOK = "watch", "webhook"
"""Who asks because something changed, but is no person."""
LookState = Literal["queued", "listing", "running", "done", "failed"]
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
    """`done` of `total` documents that need work; `total` is known once the listing is done.

    `error` is why the look failed, or what it is waiting for. `failures` are what the listing had to say, then
    "path: reason", the first SHOWN_FAILURES.
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
    )


async def enqueue_due_looks(database: Database, settings: Settings) -> int:
    """Asks for a look at every source that none was asked for within the look interval; returns how many those are."""
    await database.execute(QUERIES["forget_old_looks"])
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

    False when none is due, or the model server is away. A fault of the document or the source is recorded, not raised.
    Raises DatabaseUnavailable or psycopg.OperationalError when the ledger cannot be written; the job's lease then
    runs out, and another worker takes it.
    """
    lease = await lease_job(database, settings, worker)
    if lease is None:
        await _close_looks(database)
        return False
    async with keep_alive(database, settings, lease):
        model_is_there = await _do(database, model, settings, lease)
    await _close_looks(database)
    return model_is_there


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
        log.info("job %d: taken over by another worker, or its source was removed", lease.job_id)
    except (ModelUnavailable, ModelBusy) as error:
        await wait(database, lease, error.message)
        return False
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


async def _give_up(database: Database, lease: Lease, reason: str) -> None:
    try:
        if lease.kind == "list":
            await fail_look(database, lease, reason)
        else:
            await fail_document(database, lease, reason)
    except LeaseLost:
        log.info("job %d: taken over by another worker, or its source was removed", lease.job_id)


async def _close_looks(database: Database) -> None:
    """Ends the looks whose jobs have all ended. After a job's own commit, so that the last of two workers sees both."""
    await database.execute(QUERIES["list_again"])
    closed = await database.fetch_all(QUERIES["close_looks"])
    for row in closed:
        if row["version_id"] is not None:
            async with database.transaction() as connection:
                await promote_version(connection, row["version_id"])
    if closed:
        await keep_vector_index(database)
