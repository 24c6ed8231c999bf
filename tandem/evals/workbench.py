"""The workbench: the whole pipeline over an empty folder, in a scratch database, for one measurement."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from index.audience import Viewer
from index.connectors.git_command import Git
from index.jobs import SCHEDULE, LookProgress, enqueue_look, read_look, run_due_jobs
from index.sources import Source, add_source
from tandem.cancelling import end_tasks
from tandem.db.pool import Database
from tandem.db.scratch import open_scratch
from tandem.errors import ModelUnavailable, SourceError
from tandem.models.client import ModelClient
from tandem.models.launch import ensure_model_server
from tandem.settings import Settings

VIEWER = Viewer("bench")
WORKER = "bench"
SHOWN_EVERY_S = 0.5
PAUSE_S = 0.1
STALLED_S = 60.0
AUTHOR = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
SourceKind = Literal["folder", "git"]
OnProgress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is, and of how much."""


@dataclass(frozen=True)
class Workbench:
    settings: Settings
    database: Database
    model: ModelClient
    source: Source

    @property
    def folder(self) -> Path:
        return Path(self.source.location)

    async def commit(self) -> None:
        """What the folder says becomes the head of its branch, where the source is a git repository."""
        if self.source.kind == "git":
            git, tree = Git(self.folder / ".git"), f"--work-tree={self.folder}"
            await git.run(tree, "add", "--all")
            await git.run(tree, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message=change")

    async def look(self, on_progress: OnProgress | None = None) -> LookProgress:
        """Looks at the folder as the schedule does, and does every job, alone. What failed is not tried again until it
        changes. It believes the folder, however much of it has gone.

        Raises SourceError when the folder cannot be read, ModelUnavailable when the model server stays away.
        """
        look = await enqueue_look(
            self.database, self.settings, self.source, requested_by=SCHEDULE, accept_removals=True
        )
        worked_at = time.monotonic()
        async with _showing(self.database, look, on_progress):
            while True:
                if await run_due_jobs(self.database, self.model, self.settings, worker=WORKER, may_go_on=lambda: True):
                    worked_at = time.monotonic()
                    continue
                progress = await read_look(self.database, look)
                if progress.state == "done":
                    return progress
                if progress.state == "failed":
                    raise SourceError(progress.error)
                if time.monotonic() - worked_at > STALLED_S:
                    raise ModelUnavailable(progress.error)
                await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def _showing(database: Database, look: int, on_progress: OnProgress | None) -> AsyncIterator[None]:
    """Tells how far the look is, now and then, while the block runs."""

    async def show(on_progress: OnProgress) -> None:
        while True:
            await asyncio.sleep(SHOWN_EVERY_S)
            progress = await read_look(database, look)
            on_progress("Indexing", progress.done, progress.total)

    showing = asyncio.create_task(show(on_progress)) if on_progress else None
    try:
        yield
    finally:
        if showing:
            await end_tasks(showing)


@asynccontextmanager
async def open_workbench(
    settings: Settings, kind: SourceKind = "folder", documents: Path | None = None
) -> AsyncIterator[Workbench]:
    """Database and folder are gone after the block; a folder of `documents`, which takes the empty one's place, stays.

    Of the kind `git`, the folder is a repository's, and a look sees what was committed.
    Raises DatabaseUnavailable, ModelUnavailable or, when the documents are no folder, SourceError.
    """
    with open_scratch(settings) as own, tempfile.TemporaryDirectory(prefix="tandem-bench-") as empty:
        folder = documents or Path(empty)
        async with ensure_model_server(own) as url:
            served = own.model_copy(update={"model_url": url})
            async with Database.open(served) as database, ModelClient.open(served) as model:
                if kind == "git":
                    git = Git(folder / ".git")
                    await git.run("init", "--quiet", "--initial-branch=main")
                    await git.run("config", "uploadpack.allowFilter", "true")
                source = await add_source(database, folder, name="bench", kind=kind, added_by=WORKER)
                bench = Workbench(served, database, model, source)
                await bench.commit()
                yield bench
