"""Sources: where documents come from, who may see them, and how they stand."""

import logging
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from index.audience import Viewer
from index.connectors.locations import resolve_place
from index.documents import on_one_line
from index.licences import check_source_licence
from index.reader import read_as
from index.swap import drop_source_chunks
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import SourceError
from tandem.settings import Settings

QUERIES = load_queries("index", "sources.sql")
SHOWN_FAILURES = 20
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A place that documents come from; they are seen in `workspace` by `audience`.

    `options` are its connector's: how to read it.
    """

    id: int
    name: str
    kind: str
    location: str
    workspace: str
    audience: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class SourceStatus:
    """`failures` are "path: reason" of documents that cannot be read, the first SHOWN_FAILURES.

    `due` counts the documents that are due for review, `retired` those that a person took out. `lag_p50_s` and
    `lag_p95_s` are of its documents' last changes, from the change (not before the source was added) until it could be
    found; None where none was measured. `look_id` is the last look's.
    """

    source: Source
    documents: int
    chunks: int
    failed: int
    last_look_at: datetime | None
    last_look_state: str | None
    failures: tuple[str, ...]
    owner: str | None = None
    licence: str | None = None
    expires_at: datetime | None = None
    review_by: datetime | None = None
    added_by: str = ""
    added_at: datetime | None = None
    due: int = 0
    retired: int = 0
    lag_p50_s: float | None = None
    lag_p95_s: float | None = None
    look_id: int | None = None


@dataclass(frozen=True)
class Terms:
    """What holds for a source's documents that do not say otherwise. Of two ends the earlier one counts."""

    owner: str | None = None
    licence: str | None = None
    expires_at: datetime | None = None
    review_by: datetime | None = None


_COLUMNS = [
    field.name for field in fields(SourceStatus) if field.name not in ("source", "failures", "lag_p50_s", "lag_p95_s")
]


async def add_source(
    database: Database,
    location: str | Path,
    *,
    name: str | None,
    kind: str | None = None,
    options: Mapping[str, Any] | None = None,
    audience: str | None = None,
    workspace: str | None = None,
    added_by: str,
) -> Source:
    """Adds a source, under its own name unless another is given. Adding the same again returns what is there.

    Without an audience and a workspace everybody sees it; of a chat channel, that channel alone.

    Without a `kind` the location tells. Raises SourceError for a folder that is not there, a location that no connector
    takes, or a name that is taken. Looks at nothing yet.
    """
    place = resolve_place(str(location), kind, options or {})
    audience = place.audience if audience is None else audience
    workspace = place.workspace if workspace is None else workspace
    chosen = (name if name is not None else place.name).strip()
    if not chosen or not chosen.isprintable():
        raise SourceError("A source needs a name of printable characters.", remedy="Give it one with --name.")
    if not audience.strip() or not workspace.strip():
        raise SourceError(
            "A source needs an audience and a workspace.", remedy="Leave them out for everyone, anywhere."
        )
    wanted = {
        "name": chosen,
        "kind": place.kind,
        "location": place.location,
        "workspace": workspace,
        "audience": audience,
        "options": dict(place.options),
    }
    parameters = wanted | {
        "options": Jsonb(wanted["options"]),
        "look_interval_s": place.look_interval_s,
        "added_by": added_by,
    }
    try:
        row = await database.fetch_one(QUERIES["add_source"], parameters)
    except (UnicodeEncodeError, psycopg.DataError) as error:
        raise SourceError("Its location is not UTF-8.", remedy="Rename the folder.") from error
    row = row or await database.fetch_one(QUERIES["find_source"], {"name": chosen})
    if row is None:
        raise SourceError(f"The source {chosen} was removed at this moment.", remedy="Add it again.")
    if any(row[field] != value for field, value in wanted.items()):
        raise SourceError(
            f"There is a source {chosen} already, on {row['location']} for {row['audience']}.",
            remedy="Choose another name with --name, or remove that one with `tandem source remove`.",
        )
    return _source(row)


async def find_source(database: Database, name: str) -> Source:
    """Raises SourceError when there is none of that name."""
    row = await database.fetch_one(QUERIES["find_source"], {"name": name})
    if row is None:
        raise SourceError(f"There is no source {name}.")
    return _source(row)


async def remove_source(database: Database, name: str, *, removed_by: str) -> None:
    """Removes a source with its documents, passages and jobs at once, also while a job of it runs.

    Raises SourceError when there is none of that name.
    """
    async with database.transaction() as connection:
        row = await (await connection.execute(QUERIES["lock_source"], {"name": name})).fetchone()
        if row is None:
            raise SourceError(f"There is no source {name}.")
        await drop_source_chunks(connection, row["id"])
        await connection.execute(QUERIES["delete_source"], {"id": row["id"], "name": name, "removed_by": removed_by})
    log.info("source %d removed", row["id"])


async def list_sources(database: Database, viewer: Viewer | None = None) -> list[Source]:
    """The sources by name: all of them for an operator (None), else those that the viewer may see."""
    return [_source(row) for row in await _read(database, viewer, "list_sources")]


async def list_statuses(database: Database, viewer: Viewer | None = None) -> list[SourceStatus]:
    """The same, with what is indexed of each: this counts their documents and passages."""
    return [_status(row) for row in await _read(database, viewer, "list_statuses")]


async def _read(database: Database, viewer: Viewer | None, query: str) -> list[DictRow]:
    parameters = {"shown": SHOWN_FAILURES}
    if viewer is None:
        return await database.fetch_all(QUERIES[query], parameters)
    async with read_as(database, viewer) as connection:
        return await (await connection.execute(QUERIES[query], parameters)).fetchall()


async def set_terms(
    database: Database, settings: Settings, name: str, terms: Terms, given: Set[str], *, set_by: str
) -> Source:
    """Sets those of the source's terms that are `given` by name; what expires by them is not found from this moment on.

    Raises SourceError when there is no such source, or the licence is not allowed.
    """
    if "licence" in given:
        check_source_licence(settings, terms.licence)
    async with database.transaction() as connection:
        row = await (await connection.execute(QUERIES["lock_source"], {"name": name})).fetchone()
        if row is None:
            raise SourceError(f"There is no source {name}.")
        await connection.execute(QUERIES["set_terms"], asdict(terms) | {"id": row["id"], "given": sorted(given)})
        if "expires_at" in given:
            await connection.execute(QUERIES["move_expiry"], {"id": row["id"]})
        for field in sorted(given):
            value = getattr(terms, field)
            parameters = {"actor": set_by, "action": f"set {field}", "subject": f"{name}: {value or 'none'}"}
            await connection.execute(QUERIES["note"], parameters)
    return await find_source(database, name)


def _status(row: DictRow) -> SourceStatus:
    median, high = row["lags"] or (None, None)
    return SourceStatus(
        source=_source(row),
        failures=tuple(map(on_one_line, row["failures"])),
        lag_p50_s=median,
        lag_p95_s=high,
        **{field: row[field] for field in _COLUMNS},
    )


def _source(row: DictRow) -> Source:
    return Source(
        row["id"], row["name"], row["kind"], row["location"], row["workspace"], row["audience"], row["options"]
    )
