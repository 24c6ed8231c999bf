"""The end of background tasks: cancelled until they are over."""

import asyncio
from typing import Any

AGAIN_S = 5.0  # longer than the conversation layer takes to give back what it holds


async def end_tasks(*tasks: asyncio.Task[Any]) -> None:
    """Returns when all are over. What they raised is theirs to tell.

    One cancellation is not enough: Python 3.11's `wait_for`, which psycopg, its pool and discord.py use, can lose it.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
