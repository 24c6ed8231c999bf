import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from index.wakeups import QUEUE, RUN_JOBS, install_queue, send_wakeup
from tandem.settings import Settings


async def test_a_wakeup_is_a_word_in_the_queue(settings: Settings, database_url: str) -> None:
    assert await send_wakeup(settings, database_url)
    with psycopg.connect(database_url) as connection:
        row = connection.execute(f"SELECT message FROM pgmq.q_{QUEUE}".encode()).fetchone()
    assert row is not None
    assert row[0]["headers"]["task"] == RUN_JOBS
    assert row[0]["headers"]["argsrepr"] == "()"


def test_the_queue_is_installed_once_however_many_want_it(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(install_queue, [database_url] * 4))


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
async def test_a_broker_that_is_down_is_no_error_and_does_not_block(
    settings: Settings, database_url: str, scheme: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    broken = settings.model_copy(update={"broker_url": f"{scheme}://127.0.0.1:{port}"})
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.001)

    ticker = asyncio.create_task(tick())
    assert not await send_wakeup(broken, database_url)
    ticker.cancel()
    assert ticks > 1
