"""A scratch database: empty but for the tables, on the same server, gone with the block."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

from tandem.db.migrations import migrate
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings

PREFIX = "tandem_scratch_"


@contextmanager
def open_scratch(settings: Settings) -> Iterator[Settings]:
    """Settings on a migrated database of the block's own, which is dropped however the block ends, short of SIGKILL.

    Blocks the event loop, so that no cancellation falls between the making of the database and the block.
    The broker is the scratch database too: no worker is woken by what happens in it. Raises DatabaseUnavailable.
    """
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(3)}"
    try:
        conninfo = ensure_server(settings)
        _execute(conninfo, f"CREATE DATABASE {name}")
    except psycopg.errors.InsufficientPrivilege as error:
        raise _refused() from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"Postgres does not answer: {str(error).strip()}") from error
    try:
        own = make_conninfo(conninfo, dbname=name)
        try:
            migrate(own)
        except psycopg.errors.InsufficientPrivilege as error:
            raise _refused() from error
        yield settings.model_copy(update={"database_url": own, "broker_url": None})
    finally:
        _drop(conninfo, name)
        stop_server_if_idle(settings, conninfo)


def _drop(conninfo: str, name: str) -> None:
    try:
        _execute(conninfo, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"The scratch database {name} is still there: Postgres does not answer.",
            remedy=f"Once it does, run DROP DATABASE {name}.",
        ) from error


def _execute(conninfo: str, statement: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement.encode())


def _refused() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "This role may not make a database with pgvector for the measurement.",
        remedy="Grant it CREATEDB, or unset DATABASE_URL to measure on the embedded server.",
    )
