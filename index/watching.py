"""Watching: folders on this machine are looked at as soon as something in them changes, not only at the next turn."""

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import psycopg
from watchfiles import awatch

from index.formats import SUFFIXES
from index.jobs import WATCH, enqueue_look
from index.sources import Source, list_sources
from tandem.cancelling import end_tasks
from tandem.db.pool import Database
from tandem.errors import DatabaseUnavailable, SourceError
from tandem.settings import Settings

REFRESH_S = 15.0
"""How often it is asked which folders there are."""
QUIET_MS = 500
"""Files that are being written are left alone until nothing happened for so long, or for PATIENCE_MS."""
PATIENCE_MS = 5_000
PAUSE_S = 3.0
"""Between two requests, so that a file which never rests does not keep the workers busy."""
RETRY_S = 300.0
log = logging.getLogger(__name__)
Folders = Mapping[Path, tuple[int, tuple[Source, ...]]]
"""Each folder with its inode, and the sources that are on it."""


async def watch_folders(database: Database, settings: Settings) -> None:
    """Watches every folder source that this machine has, until it is cancelled. What it misses, the next look finds."""
    logging.getLogger("watchfiles.main").setLevel(logging.WARNING)  # it tells of each change
    folders: Folders = {}
    while True:
        folders = await _find_folders(database, folders)
        changed = asyncio.Event()
        refreshing = asyncio.create_task(_refresh(database, folders, changed))
        try:
            await _watch(database, settings, folders, changed)
        except (OSError, RuntimeError) as error:  # RuntimeError is what watchfiles makes of the kernel's other faults
            log.warning("folders are not watched for now (%s); they are looked at now and then", error)
            await asyncio.sleep(RETRY_S)
        finally:
            await end_tasks(refreshing)


async def _watch(database: Database, settings: Settings, folders: Folders, changed: asyncio.Event) -> None:
    if not folders:
        await changed.wait()
        return
    watcher = awatch(
        *folders,
        watch_filter=None,
        debounce=PATIENCE_MS,
        step=QUIET_MS,
        stop_event=changed,
        ignore_permission_denied=True,
    )
    async for changes in watcher:
        for source in find_touched(folders, (Path(path) for _, path in changes)):
            try:
                await enqueue_look(database, settings, source, requested_by=WATCH)
            except (SourceError, DatabaseUnavailable, psycopg.OperationalError) as error:
                log.warning("source %d: its change was not told (%s)", source.id, type(error).__name__)
        await asyncio.sleep(PAUSE_S)


async def _refresh(database: Database, folders: Folders, changed: asyncio.Event) -> None:
    while not changed.is_set():
        await asyncio.sleep(REFRESH_S)
        if await _find_folders(database, folders) != folders:
            changed.set()


async def _find_folders(database: Database, known: Folders) -> Folders:
    """The folders that are there; what was known when the database does not answer."""
    try:
        sources = await list_sources(database)
    except (DatabaseUnavailable, psycopg.OperationalError):
        return known
    return await asyncio.to_thread(_see, [source for source in sources if source.kind == "folder"])


def _see(sources: Iterable[Source]) -> Folders:
    found: dict[Path, tuple[int, tuple[Source, ...]]] = {}
    for source in sources:
        folder = Path(source.location)
        if folder.is_dir() and os.access(folder, os.R_OK):
            _, others = found.get(folder, (0, ()))
            found[folder] = (folder.stat().st_ino, (*others, source))
    return found


def find_touched(folders: Folders, paths: Iterable[Path]) -> list[Source]:
    """The sources that one of the paths may be a document of, or a folder with documents."""
    touched: dict[int, Source] = {}
    for path in paths:
        for folder, (_, sources) in folders.items():
            if path.is_relative_to(folder) and _may_matter(folder, path):
                touched |= {source.id: source for source in sources}
    return list(touched.values())


def _may_matter(folder: Path, path: Path) -> bool:
    if any(part.startswith(".") for part in path.relative_to(folder).parts):
        return False
    # A folder may have a dot in its name; of one that is gone nobody can tell, and the next look finds it.
    return path.suffix.lower() in {"", *SUFFIXES} or path.is_dir()
