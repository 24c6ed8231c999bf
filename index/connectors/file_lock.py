"""A lock that the workers of one machine share: who holds the file is alone, until the block or the process ends."""

import asyncio
import fcntl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from index.connectors.connector import SourceUnavailable

ASK_S = 0.05


@asynccontextmanager
async def hold_file(path: Path, patience_s: float) -> AsyncIterator[None]:
    """Waits for its turn. Raises SourceUnavailable when that does not come in time."""
    ends = time.monotonic() + patience_s
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        # Asked again and again: threads that wait for it could be all that the holder might need one of.
        while not _take(file.fileno()):
            if time.monotonic() > ends:
                raise SourceUnavailable(f"Another worker has kept {path.name} for {patience_s / 60:.0f} minutes.")
            await asyncio.sleep(ASK_S)
        yield


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
