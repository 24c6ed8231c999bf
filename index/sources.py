"""Sources: where documents come from, who may see them, and how they stand."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from index.audience import Viewer
from index.connectors.locations import resolve_place
from index.documents import on_one_line
from index.reader import read_as
from index.swap import drop_source_chunks
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.errors import SourceError

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
    """`failures` are "path: reason" of documents that cannot be read, the first SHOWN_FAILURES."""

    source: Source
    documents: int
    chunks: int
    failed: int
    last_look_at: datetime | None
    last_look_state: str | None
    failures: tuple[str, ...]


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


async def list_sources(database: Database, viewer: Viewer | None = None) -> list[SourceStatus]:
    """The sources by name: all of them for an operator (None), else those that the viewer may see."""
    if viewer is None:
        rows = await database.fetch_all(QUERIES["list_sources"], {"shown": SHOWN_FAILURES})
    else:
        async with read_as(database, viewer) as connection:
            rows = await (await connection.execute(QUERIES["list_sources"], {"shown": SHOWN_FAILURES})).fetchall()
    return [
        SourceStatus(
            _source(row),
            row["documents"],
            row["chunks"],
            row["failed"],
            row["last_look_at"],
            row["last_look_state"],
            tuple(map(on_one_line, row["failures"])),
        )
        for row in rows
    ]


def _source(row: DictRow) -> Source:
    return Source(
        row["id"], row["name"], row["kind"], row["location"], row["workspace"], row["audience"], row["options"]
    )
