"""The git binary: run without a shell, without asking anybody anything, and within limits."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

from index.connectors.connector import SourceUnavailable
from tandem.errors import SourceError

QUICK_S = 60
MAX_OUTPUT = 256 * 2**20
MAX_CLONE = 8 * 2**30
_ENVIRONMENT = (
    "LC_ALL=C",
    "GIT_TERMINAL_PROMPT=0",
    "GIT_ASKPASS=true",
    "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file",  # no ext::, whose address is a command
    "GIT_LFS_SKIP_SMUDGE=1",
)
_CONFIGURATION = (
    "core.hooksPath=/dev/null",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "gc.autoDetach=false",
    "advice.detachedHead=false",
)


class Git:
    """Runs git on one bare repository."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def run(self, *arguments: str, given: bytes = b"", timeout_s: float = QUICK_S) -> bytes:
        """Returns what git prints. Raises SourceUnavailable with git's own words when it fails or takes too long."""
        async with self._start(*arguments) as process:
            watching = asyncio.create_task(self._refuse_excess(process))
            try:
                async with asyncio.timeout(timeout_s):
                    output, errors = await asyncio.gather(
                        _talk(process, given), _read(cast(asyncio.StreamReader, process.stderr))
                    )
                    status = await process.wait()
            except TimeoutError as error:
                raise SourceUnavailable(f"git {arguments[0]} took more than {timeout_s:.0f} s.") from error
            finally:
                watching.cancel()
        if watching.done() and not watching.cancelled() and (excess := watching.exception()):
            raise excess
        if status == 127:
            raise SourceError("git is not installed.", remedy="Install git on every machine that runs a worker.")
        if status:
            raise SourceUnavailable(f"git {arguments[0]} failed: {_first_reason(errors)}")
        return output

    @asynccontextmanager
    async def stream(self, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
        """What git prints, as it comes; it is stopped at the end of the block."""
        async with self._start(*arguments, keep_errors=False) as process:
            yield cast(asyncio.StreamReader, process.stdout)

    @asynccontextmanager
    async def _start(self, *arguments: str, keep_errors: bool = True) -> AsyncIterator[asyncio.subprocess.Process]:
        settings = [part for setting in _CONFIGURATION for part in ("-c", setting)]
        process = await asyncio.create_subprocess_exec(
            *("env", *_ENVIRONMENT, "git", f"--git-dir={self.directory}", *settings, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if keep_errors else asyncio.subprocess.DEVNULL,
            start_new_session=True,  # no terminal that ssh could ask at, and its helpers end with it
            limit=2**20,
        )
        try:
            yield process
        finally:
            _end(process)
            await process.wait()

    async def _refuse_excess(self, process: asyncio.subprocess.Process) -> None:
        while True:
            await asyncio.sleep(2)
            if await asyncio.to_thread(_measure, self.directory) > MAX_CLONE:
                _end(process)
                raise SourceError(
                    f"The repository needs more than {MAX_CLONE // 2**30} GB.", remedy="Add a smaller one, or a folder."
                )


async def _talk(process: asyncio.subprocess.Process, given: bytes) -> bytes:
    stdin = cast(asyncio.StreamWriter, process.stdin)
    stdin.write(given)
    stdin.close()
    return await _read(cast(asyncio.StreamReader, process.stdout))


async def _read(pipe: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while part := await pipe.read(2**16):
        parts.append(part)
        size += len(part)
        if size > MAX_OUTPUT:
            raise SourceError("git says more than can be held in memory.", remedy="Add a smaller repository.")
    return b"".join(parts)


def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _measure(directory: Path) -> int:
    total = 0
    for file in (directory / "objects" / "pack").glob("*"):
        with suppress(FileNotFoundError):  # git renames its packs when they are whole
            total += file.stat().st_size
    return total


def _first_reason(errors: bytes) -> str:
    lines = errors.decode(errors="replace").splitlines() or ["it gives no reason"]
    said = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
    return said.removeprefix("fatal: ").removeprefix("error: ")[:300].rstrip(".") + "."
