"""Pages on their way from the listing to the index: kept for an hour, so that none is asked for twice."""

import shutil
import time
from contextlib import suppress
from pathlib import Path

MAX_AGE_S = 3600
MAX_FOLDER = 512 * 2**20


class PageCache:
    """Files of one machine: whoever finds nothing here asks the site again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = 0

    def put(self, stamp: str, name: str, data: bytes) -> None:
        self._held += len(data)
        if self._held > MAX_FOLDER:
            return
        place = self._folder / stamp
        place.mkdir(parents=True, exist_ok=True)
        half = place / ".half"
        half.write_bytes(data)
        half.replace(place / name)

    def take(self, stamp: str) -> tuple[str, bytes] | None:
        """The page's file name and bytes, which are then gone from here."""
        place = self._folder / stamp
        with suppress(FileNotFoundError):
            for file in place.iterdir():
                if file.name != ".half":
                    data = file.read_bytes()
                    shutil.rmtree(place, ignore_errors=True)
                    return file.name, data
        return None

    def prune(self) -> None:
        with suppress(FileNotFoundError):
            for place in self._folder.iterdir():
                if time.time() - place.stat().st_mtime > MAX_AGE_S:
                    shutil.rmtree(place, ignore_errors=True)
