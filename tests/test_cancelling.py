"""A task is over when `end_tasks` returns, also one that lost a cancellation."""

import asyncio

import pytest

from tandem import cancelling
from tandem.cancelling import end_tasks


async def test_a_lost_cancellation_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "AGAIN_S", 0.01)
    lost = 0

    async def lose_two() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    task = asyncio.create_task(lose_two())
    await asyncio.sleep(0)
    await end_tasks(task)
    assert task.cancelled()
    assert lost == 3


async def test_what_a_task_raised_before_is_kept_with_it() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await end_tasks(task)
    assert isinstance(task.exception(), ValueError)
