"""`tandem chat`: the first run, and a chat in the terminal."""

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from tandem.cli.stack import background_stack
from tandem.cli.workplace import Audience, begin, open_database, prepare_database, run, terminal_viewer
from tandem.errors import ModelUnavailable, TandemError

if TYPE_CHECKING:
    from tandem.settings import Settings

MODEL_START_S = 90
PATIENCE_S = 5
"""How long a folder that was indexed before is waited for: what is known can be asked, and a worker goes on."""


def chat(
    docs: Annotated[Path | None, typer.Option(help="A folder to answer from; it is indexed first.")] = None,
    audience: Audience = None,
) -> None:
    """Chat in the terminal, with everything that it needs started and stopped with it."""
    settings = begin("chat", quiet=True)
    console = Console(highlight=False, stderr=True)
    if docs is not None and not docs.is_dir():
        raise TandemError(f"{docs} is no folder.", remedy="Give the path of a folder: tandem chat --docs PATH.")
    with background_stack(settings):
        with console.status("Starting Postgres"):
            conninfo = prepare_database(settings)
        run(_chat(settings, docs, audience, console))
    from tandem.db.server import stop_server_if_idle

    stop_server_if_idle(settings, conninfo)


async def _chat(settings: "Settings", docs: Path | None, audience: list[str] | None, console: Console) -> None:
    from bots.terminal import run_terminal

    with console.status("Loading the model"):
        await _await_model(settings)
    if docs is not None:
        await _index_folder(settings, docs, console)
    await run_terminal(settings, viewer=terminal_viewer(audience))


async def _await_model(settings: "Settings") -> None:
    """Waits until the model server answers. Raises ModelUnavailable."""
    from tandem.models.client import ModelClient

    deadline = asyncio.get_running_loop().time() + MODEL_START_S
    async with ModelClient.open(settings) as model:
        while True:
            try:
                await model.describe()
            except ModelUnavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                return


async def _index_folder(settings: "Settings", docs: Path, console: Console) -> None:
    from index.audience import ANYWHERE, EVERYONE
    from index.jobs import enqueue_look, read_look
    from index.sources import add_source, list_statuses

    async with open_database(settings) as database:
        source = await add_source(
            database, docs, kind="folder", name=None, audience=EVERYONE, workspace=ANYWHERE, added_by="operator"
        )
        status = next(status for status in await list_statuses(database) if status.source.id == source.id)
        look = await enqueue_look(database, settings, source, requested_by="operator")
        patience = PATIENCE_S if status.documents else math.inf
        deadline = asyncio.get_running_loop().time() + patience
        with console.status(f"Indexing {docs}") as line:
            while (progress := await read_look(database, look)).state not in ("done", "failed"):
                if asyncio.get_running_loop().time() > deadline:
                    console.print(f"Still looking at {docs}; until then, answers are from what was indexed before.")
                    return
                line.update(f"Indexing {docs}: {progress.done} of {progress.total}")
                await asyncio.sleep(0.1)
    counts = progress.documents
    console.print(f"Indexed {counts.added + counts.changed + counts.unchanged} documents, {counts.failed} failed.")
    if progress.error:
        console.print(progress.error, style="yellow", markup=False)
