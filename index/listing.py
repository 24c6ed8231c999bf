"""The listing of a source: compares what it lists with what is known, and makes a job of every difference."""

import asyncio
import logging
from collections.abc import Sequence

import psycopg
from psycopg.types.json import Jsonb

from index.connectors.connector import Connector
from index.connectors.registry import open_connector
from index.documents import ListedDocument
from index.leases import Lease, LeaseLost, finish, finish_failed, hold
from index.licences import list_allowed
from index.versions import describe_pipeline, find_version
from tandem.cancelling import end_tasks
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import DatabaseUnavailable, SourceError
from tandem.models.client import ModelClient
from tandem.settings import Settings

QUERIES = load_queries("index", "listing.sql")
HANDFUL = 5
SHOWN_NOTES = 10
TOLD_EVERY_S = 1.0
MAX_PATH = 2_000
"""Bytes. Paths are found by an index of Postgres, which takes 2,700."""
log = logging.getLogger(__name__)


async def list_source(database: Database, model: ModelClient, settings: Settings, lease: Lease) -> None:
    """Does a look's first job.

    Raises SourceError, with nothing changed, when the source cannot be believed; SourceUnavailable is one. Raises
    LeaseLost when the look was cancelled.
    """
    if not await database.execute(QUERIES["begin_listing"], {"look_id": lease.look_id}):
        raise LeaseLost
    version_id = await find_version(database, await describe_pipeline(model))
    about = {
        "look_id": lease.look_id,
        "source_id": lease.source.id,
        "version_id": version_id,
        "licences": list_allowed(settings),
    }
    row = await database.fetch_one(QUERIES["find_cursor"], about)
    connector = open_connector(lease.source, settings, database)
    telling = asyncio.create_task(_tell_met(database, lease, connector))
    try:
        listing = await connector.list(row["cursor"] if row else None)
    finally:
        await end_tasks(telling)
    documents, passed_over = _tell_apart(listing.documents)
    parameters = {
        **about,
        "is_difference": listing.is_difference,
        "removed": list(listing.removed),
        "unseen": list(listing.unseen),
        "unseen_under": list(listing.unseen_under),
        "notes": [*listing.notes, *passed_over],
        "cursor": Jsonb(listing.cursor) if listing.cursor is not None else None,
        **_columns(documents),
    }
    async with database.transaction() as connection:
        await hold(connection, lease)
        cursor = await connection.execute(QUERIES["find_gone"], parameters)
        parameters["gone"] = gone = [row["id"] for row in await cursor.fetchall()]
        [row] = await (await connection.execute(QUERIES["count_known"], parameters)).fetchall()
        if not row["accept_removals"]:
            left = len(documents) + (row["known"] - len(gone) if listing.is_difference else 0)
            _refuse_landslide(lease.source.name, left, row["known"], len(gone))
        for statement in ("add_documents", "add_index_jobs", "add_remove_jobs", "keep_cursor", "begin_running"):
            await connection.execute(QUERIES[statement], parameters)
        await finish(connection, lease, "listed")


async def fail_look(database: Database, lease: Lease, reason: str) -> None:
    """Ends the look whose listing failed. Raises LeaseLost."""
    async with database.transaction() as connection:
        await hold(connection, lease)
        await finish_failed(connection, lease, reason)
        await connection.execute(QUERIES["fail_look"], {"look_id": lease.look_id, "reason": reason})


async def _tell_met(database: Database, lease: Lease, connector: Connector) -> None:
    """For whoever watches: a large site takes minutes to list."""
    while True:
        await asyncio.sleep(TOLD_EVERY_S)
        try:
            await database.execute(QUERIES["tell_met"], {"look_id": lease.look_id, "met": connector.met})
        except (DatabaseUnavailable, psycopg.OperationalError) as error:
            log.warning("look %d: how far its listing is could not be told (%s)", lease.look_id, type(error).__name__)


def _refuse_landslide(name: str, left: int, known: int, gone: int) -> None:
    if (gone and not left) or (gone > HANDFUL and gone * 2 > known):
        raise SourceError(
            f"{name} lists only {known - gone} of the {known} documents that it had, so nothing was removed.",
            remedy=f"If they are really gone, run `tandem reindex {name} --accept-removals`; else bring them back.",
        )


def _tell_apart(listed: Sequence[ListedDocument]) -> tuple[list[ListedDocument], list[str]]:
    """The documents, each with a path of its own, and a line for each that was passed over."""
    kept: dict[str, ListedDocument] = {}
    notes: list[str] = []
    for document in sorted(listed, key=lambda document: (document.fault is not None, document.uri)):
        if len(document.path.encode()) > MAX_PATH:
            notes.append(f"{document.path[:100]}…: its path has more than {MAX_PATH:,} bytes, and it is passed over.")
        elif document.path in kept:
            notes.append(f"{document.path}: {document.uri} has the same path as another document, and is passed over.")
        else:
            kept[document.path] = document
    more = len(notes) - SHOWN_NOTES
    return list(kept.values()), notes if more <= 0 else [*notes[:SHOWN_NOTES], f"And {more} more like that."]


def _columns(listed: Sequence[ListedDocument]) -> dict[str, list[object]]:
    return {
        "paths": [document.path for document in listed],
        "uris": [document.uri for document in listed],
        "stamps": [document.stamp for document in listed],
        "changed_ats": [document.changed_at for document in listed],
        "faults": [document.fault for document in listed],
    }
