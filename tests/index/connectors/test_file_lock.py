"""One holder at a time, among the jobs of a process and among processes; who dies lets go."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from index.connectors.connector import SourceUnavailable
from index.connectors.file_lock import hold_file

HOLDER = """
import asyncio, sys
from pathlib import Path
from index.connectors.file_lock import hold_file

async def hold():
    async with hold_file(Path(sys.argv[1]), 10):
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


async def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        async with hold_file(tmp_path / "new" / "clone.lock", 10):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            await asyncio.to_thread(lambda: None)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(50)))
    assert most == 1


async def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    lock = tmp_path / "clone.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == b"held\n"
        with pytest.raises(SourceUnavailable, match=r"Another worker has kept clone\.lock"):
            async with hold_file(lock, 0.1):
                pass
        holder.kill()
        async with hold_file(lock, 10):
            pass
