"""A repository's history: when each of its files last changed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from index.connectors.git_command import Git

HISTORY_S = 60.0


async def find_times(git: Git, commits: str, paths: set[bytes]) -> tuple[dict[bytes, datetime | None], bool]:
    """The time of the last of these commits that changed each path, or of the merge that brought it to the branch.

    False with it when HISTORY_S were over before all was found or read: of the rest nothing is known.
    """
    times: dict[bytes, datetime | None] = {}
    try:
        async with asyncio.timeout(HISTORY_S):
            async for moment, path in _read_log(git, commits):
                if path in paths:
                    times.setdefault(path, moment)
                    if len(times) == len(paths):
                        break
    except TimeoutError:
        return times, False
    return times, True


def read_time(seconds: bytes) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None  # a time that no calendar has


async def _read_log(git: Git, commits: str) -> AsyncIterator[tuple[datetime | None, bytes]]:
    arguments = (
        "log",
        "--first-parent",
        "-m",
        "--no-renames",
        "--name-only",
        "-z",
        "--format=%x00%ct",
        commits,
        "--",
    )
    async with git.stream(*arguments) as output:
        moment: datetime | None = None
        is_time = False
        rest = b""
        while part := await output.read(2**16):
            *fields, rest = (rest + part).split(b"\0")
            for field in fields:
                if is_time:
                    moment, is_time = read_time(field.strip()), False
                elif not field:
                    is_time = True
                else:
                    yield moment, field.removeprefix(b"\n")
