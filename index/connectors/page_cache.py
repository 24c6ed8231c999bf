"""Pages on their way from the listing to the index: kept for an hour, so that none is asked for twice."""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

MAX_AGE_S = 3600
MAX_FOLDER = 512 * 2**20


class PageCache:
    """Files of one machine: whoever finds nothing here asks the site again. Threads and processes may share them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = 0

    def put(self, stamp: str, name: str, data: bytes) -> None:
        self._held += len(data)
        if self._held > MAX_FOLDER:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        half = self._folder / f".{uuid4().hex}"  # its own: pages of the same text have the same stamp
        half.write_bytes(data)
        half.replace(self._folder / f"{stamp}.{name}")

    def take(self, stamp: str) -> tuple[str, bytes] | None:
        """A page's file name and bytes, which are then gone from here."""
        for file in self._folder.glob(f"{stamp}.*"):
            with suppress(FileNotFoundError):  # somebody else took it
                data = file.read_bytes()
                file.unlink()
                return file.name.removeprefix(f"{stamp}."), data
        return None

    def prune(self) -> None:
        if not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime <= MAX_AGE_S:
                    continue
                if file.is_dir():  # as versions before this one kept them
                    shutil.rmtree(file, ignore_errors=True)
                else:
                    file.unlink()
