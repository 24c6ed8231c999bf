"""The audit trail: who added, re-indexed, retired, reviewed, removed or set what; written where it happens."""

from dataclasses import dataclass
from datetime import datetime

from tandem.db.pool import Database
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "audit.sql")


@dataclass(frozen=True)
class Entry:
    at: datetime
    actor: str
    action: str
    subject: str


async def list_entries(database: Database, limit: int) -> list[Entry]:
    """The newest entries, newest first. They name sources of every audience: for whoever runs Tandem, nobody else."""
    return [Entry(**row) for row in await database.fetch_all(QUERIES["list_entries"], {"limit": limit})]
