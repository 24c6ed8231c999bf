"""Forward-only migrations: numbered `.sql` files, each applied once, in one transaction, and never changed after."""

import hashlib
import re
import time
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version

import psycopg

from tandem.errors import MigrationError

LOCK = 7_139_001  # an advisory lock, so that two processes that start together migrate once
_FILE = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql).hexdigest()


def list_migrations() -> list[Migration]:
    folder = resources.files("tandem.db").joinpath("migrations")
    found = [(_FILE.fullmatch(entry.name), entry) for entry in folder.iterdir()]
    migrations = [Migration(int(m.group(1)), e.name, e.read_bytes()) for m, e in found if m]
    return sorted(migrations, key=lambda migration: migration.number)


def migrate(conninfo: str) -> list[str]:
    """Brings the database up to date and returns the names of what was applied.

    Each file commits on its own: a failure leaves the database at the last whole migration.
    Raises MigrationError when the database is newer than this code, or an applied file was changed since.
    """
    known = list_migrations()
    applied: list[str] = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while not _try_lock(connection):
            time.sleep(0.1)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations ("
            " number int PRIMARY KEY, name text NOT NULL, digest text NOT NULL, applied_at timestamptz DEFAULT now())"
        )
        done = {
            row[0]: row[1]
            for row in connection.execute("SELECT number, digest FROM schema_migrations WHERE number > 0")
        }
        if unknown := sorted(set(done) - {migration.number for migration in known}):
            raise MigrationError(f"The database has migration {unknown[-1]}, which this version does not know.")
        for migration in known:
            if migration.number in done:
                if done[migration.number] != migration.digest:
                    raise MigrationError(f"{migration.name} was changed after it had been applied here.")
                continue
            with connection.transaction():
                connection.execute(migration.sql)
                connection.execute(
                    "INSERT INTO schema_migrations (number, name, digest) VALUES (%s, %s, %s)",
                    (migration.number, migration.name, migration.digest),
                )
            applied.append(migration.name)
        _migrate_memory(connection, conninfo)
    return applied


def _migrate_memory(connection: psycopg.Connection, conninfo: str) -> None:
    """Lets LangGraph bring its own tables up to date, once for each of its versions: to import it takes a second."""
    library = f"langgraph-checkpoint-postgres {version('langgraph-checkpoint-postgres')}"
    if connection.execute("SELECT 1 FROM schema_migrations WHERE number = 0 AND name = %s", (library,)).fetchone():
        return
    from tandem.db.checkpoints import migrate_checkpoints

    migrate_checkpoints(conninfo)
    connection.execute(
        "INSERT INTO schema_migrations (number, name, digest) VALUES (0, %s, '')"
        " ON CONFLICT (number) DO UPDATE SET name = excluded.name, applied_at = now()",
        (library,),
    )


def _try_lock(connection: psycopg.Connection) -> bool:
    """Asked again and again: a statement that waits holds a snapshot, which CREATE INDEX CONCURRENTLY waits for."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    return bool(row and row[0])
