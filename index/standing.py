"""How documents stand: their terms, their freshness, and what keeps them out of the index."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from psycopg.rows import DictRow

from index.audience import Viewer
from index.reader import read_as
from tandem.db.pool import Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "standing.sql")


@dataclass(frozen=True)
class Standing:
    """One document, with its source's word where it has none of its own.

    `revision` is a hash of its content. `lag_s` runs from its last change, or the source's adding if that came later,
    until it could be found; None where it was not measured.
    """

    id: int
    source: str
    path: str
    title: str
    uri: str
    state: str
    failure: str | None
    owner: str | None
    licence: str | None
    expires_at: datetime | None
    review_by: datetime | None
    revision: str | None
    changed_at: datetime | None
    noticed_at: datetime | None
    searchable_at: datetime | None
    indexed_at: datetime | None
    lag_s: float | None

    @property
    def is_due(self) -> bool:
        """Whether somebody should have looked whether it still holds."""
        return self.review_by is not None and self.review_by <= datetime.now(UTC)


@dataclass(frozen=True)
class Failure:
    """A document that could not be indexed, or, without a path, a source that could not be listed."""

    source: str
    path: str
    reason: str
    failed_at: datetime | None


@dataclass(frozen=True)
class Gauges:
    """A source in numbers, for metrics; it is named by its id alone. Lags are seconds."""

    source_id: int
    new: int
    indexed: int
    failed: int
    retired: int
    due: int
    expired: int
    open_jobs: int
    lag_p50_s: float | None
    lag_p95_s: float | None
    listed_s: float | None
    """Since the last listing that worked began."""


async def find_standings(database: Database, viewer: Viewer, ids: Sequence[int]) -> dict[int, Standing]:
    """Those of the documents that the viewer may read now and search can find, by id."""
    if not ids:
        return {}
    async with read_as(database, viewer) as connection:
        rows = await (await connection.execute(QUERIES["find_standings"], {"ids": list(ids)})).fetchall()
    return {row["id"]: _standing(row) for row in rows}


async def list_standings(database: Database, source_id: int) -> list[Standing]:
    """All documents of a source by path, for whoever runs it."""
    rows = await database.fetch_all(QUERIES["list_standings"], {"source_id": source_id})
    return [_standing(row) for row in rows]


async def list_failures(database: Database, source: str | None = None) -> list[Failure]:
    """What was given up, by source and path: of all audiences, so for whoever runs Tandem, and nobody else."""
    return [Failure(**row) for row in await database.fetch_all(QUERIES["list_failures"], {"source": source})]


async def read_gauges(database: Database) -> list[Gauges]:
    """Every source in numbers."""
    found = []
    for row in await database.fetch_all(QUERIES["read_gauges"]):
        median, high = row.pop("lags") or (None, None)
        found.append(Gauges(**row, lag_p50_s=median, lag_p95_s=high))
    return found


def _standing(row: DictRow) -> Standing:
    return Standing(**{field.name: row[field.name] for field in fields(Standing)})
