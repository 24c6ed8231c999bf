"""A scratch database: empty but for the tables, on the same server, gone with the block."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tandem.db.migrations import migrate
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings

PREFIX = "tandem_scratch_"


@contextmanager
def open_scratch(settings: Settings) -> Iterator[Settings]:
    """Settings on a migrated database of the block's own, which is dropped however the block ends.

    SIGTERM ends the block as ctrl-C does. What SIGKILL leaves behind is dropped by the next call. Blocks the event
    loop, so that no cancellation falls between the making of the database and the block. The broker is the scratch
    database too: no worker is woken by what happens in it. Raises DatabaseUnavailable.
    """
    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(3)}"
    try:
        conninfo = ensure_server(settings)
        _drop_abandoned(conninfo)
        # Open as long as this process lives, it says to others that the database is in use.
        keeper = psycopg.connect(conninfo, autocommit=True, application_name=name)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"Postgres does not answer: {str(error).strip()}") from error
    with _terminated_as_interrupted():
        try:
            own = make_conninfo(conninfo, dbname=name)
            try:
                keeper.execute(f"CREATE DATABASE {name}".encode())
                migrate(own)
            except psycopg.errors.InsufficientPrivilege as error:
                raise _refused() from error
            yield settings.model_copy(update={"database_url": own, "broker_url": None})
        finally:
            _drop(conninfo, name)
            keeper.close()
            stop_server_if_idle(settings, conninfo)


def _drop_abandoned(conninfo: str) -> None:
    """Drops this role's scratch databases whose makers have gone, with their connections."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database d WHERE datname ^@ %s AND pg_has_role(datdba, 'USAGE') AND NOT EXISTS"
            " (SELECT FROM pg_stat_activity a WHERE d.datname IN (a.datname, a.application_name))",
            (PREFIX,),
        ).fetchall()
        for (name,) in rows:
            # Without force: whoever came into it since keeps it, and whoever drops it too was faster.
            with suppress(psycopg.errors.ObjectInUse, psycopg.errors.InternalError_):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Only the main thread can have signals; in another nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: object) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a script starts in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


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
