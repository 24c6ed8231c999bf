"""What a command needs around it: settings, a migrated database, and for some a model server and an agent."""

import asyncio
import getpass
import os
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

import psycopg
import typer

from index.audience import Viewer
from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.errors import DatabaseUnavailable
from tandem.models.client import ModelClient
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings, read_settings
from tandem.telemetry import configure_logging

T = TypeVar("T")
Audience = Annotated[
    list[str] | None, typer.Option("--audience", help="Ask as a member of this audience too; may be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def begin(process: str, *, quiet: bool = False) -> Settings:
    """Reads the settings and starts logging; a command for people logs warnings alone."""
    settings = read_settings()
    configure_logging("WARNING" if quiet else settings.log_level, process)
    return settings


def run(work: Coroutine[object, object, T]) -> T:
    """Runs the command's work; ctrl-C is an ordinary way to end it."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def prepare_database(settings: Settings) -> str:
    """Starts the embedded server if there is no other, and brings the tables up to date. Raises DatabaseUnavailable."""
    try:
        conninfo = ensure_server(settings)
        migrate(conninfo)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"Postgres does not answer: {str(error).strip()}") from error
    return conninfo


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """A migrated database for one command; an embedded server that nobody else uses is stopped after it."""
    conninfo = await asyncio.to_thread(prepare_database, settings)
    try:
        async with Database.open(settings) as database:
            yield database
    finally:
        await asyncio.to_thread(stop_server_if_idle, settings, conninfo)


@asynccontextmanager
async def open_model(settings: Settings) -> AsyncIterator[ModelClient]:
    """A client of the model server there is, or of one that runs as long as this command."""
    async with ensure_model_server(settings), ModelClient.open(settings) as model:
        yield model


def terminal_viewer(audiences: list[str] | None) -> Viewer:
    return Viewer(workspace="terminal", audiences=frozenset(audiences or ()))


def operator() -> str:
    """Who gives the command, for the audit trail."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"operator:{os.getuid()}"  # a container's user may have no name


def new_id() -> str:
    return secrets.token_hex(8)
