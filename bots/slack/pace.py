"""Sending news no faster than a platform allows, and never after the one who had news was stopped."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class Pace:
    """Calls `send` in the background, at most once in `every_s` seconds; what comes faster is sent together.

    The task that made it owns it: once that is cancelled, nothing more is sent.
    """

    def __init__(self, send: Callable[[], Awaitable[None]], every_s: float) -> None:
        self._send = send
        self._every_s = every_s
        self._owner = asyncio.current_task()
        self._fresh = False
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is news."""
        self._fresh = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Sends nothing more; returns once a call under way has ended, so that it cannot overtake what follows."""
        self._stopped.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._fresh and not self._is_over():
            self._fresh = False
            await self._send()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._stopped.wait()

    def _is_over(self) -> bool:
        owner = self._owner
        return self._stopped.is_set() or (owner is not None and (owner.done() or owner.cancelling() > 0))
