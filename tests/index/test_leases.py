import asyncio
from pathlib import Path

import pytest

from index.jobs import enqueue_look, run_next_job
from index.leases import Lease, LeaseLost, finish, hold, keep_alive, lease_job, retry, wait
from index.listing import list_source
from tandem.settings import Settings
from tests.index.conftest import Room


def impatient(settings: Settings, lease_s: float = 0.15) -> Settings:
    return settings.model_copy(update={"lease_s": lease_s})


async def take(room: Room, worker: str = "a", lease_s: float = 30) -> Lease | None:
    return await lease_job(room.database, impatient(room.settings, lease_s), worker)


@pytest.fixture
async def queued(room: Room, folder: Path) -> Room:
    """A room with one job that is due."""
    await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    return room


async def test_a_job_is_held_by_one(queued: Room) -> None:
    leases = await asyncio.gather(*(take(queued, name) for name in "abcdef"))
    assert sum(lease is not None for lease in leases) == 1


async def test_a_page_that_was_just_pushed_does_not_wait_for_a_whole_other_source(
    queued: Room, folder: Path, tmp_path: Path
) -> None:
    assert await run_next_job(queued.database, queued.model, queued.settings, worker="a")  # three documents are due
    (tmp_path / "pushed").mkdir()
    (tmp_path / "pushed" / "page.md").write_text("# Page\n\nNew.\n")
    pushed = await queued.add(tmp_path / "pushed", "pushed")
    await enqueue_look(queued.database, queued.settings, pushed, requested_by="webhook")
    order = []
    for _ in range(5):
        lease = await take(queued)
        assert lease is not None
        order.append(lease.path or "listing")
        if not lease.path:
            await list_source(queued.database, queued.model, queued.settings, lease)
    assert order[0] == "listing"
    assert order.index("page.md") <= 2
    assert set(order) == {"listing", "page.md", "leave.md", "people/travel.md", "printers.txt"}


async def test_a_silent_worker_loses_its_job_and_may_no_longer_write(queued: Room) -> None:
    first = await take(queued, lease_s=0.01)
    await asyncio.sleep(0.05)
    second = await take(queued, "b")
    assert first is not None
    assert second is not None
    assert (second.job_id, second.attempt) == (first.job_id, 2)
    assert second.token > first.token
    with pytest.raises(LeaseLost):
        async with queued.database.transaction() as connection:
            await hold(connection, first)
    async with queued.database.transaction() as connection:
        await hold(connection, second)
        await finish(connection, second, "listed")
    with pytest.raises(LeaseLost):
        async with queued.database.transaction() as connection:
            await hold(connection, second)


async def test_a_heartbeat_keeps_a_long_job(queued: Room) -> None:
    settings = impatient(queued.settings)
    lease = await lease_job(queued.database, settings, "a")
    assert lease is not None
    async with keep_alive(queued.database, settings, lease):
        await asyncio.sleep(0.5)
        assert await take(queued, "b") is None
    await asyncio.sleep(0.3)
    assert await take(queued, "b") is not None


async def test_a_retry_uses_up_an_attempt_and_a_wait_does_not(queued: Room) -> None:
    attempts = []
    for put_back in (retry, wait, wait, retry):
        lease = await take(queued)
        assert lease is not None
        attempts.append(lease.attempt)
        await put_back(queued.database, lease, "a reason")
        assert await take(queued) is None, "a job that was put back is not due at once"
        [job] = await queued.fetch("UPDATE jobs SET due_at = now() RETURNING error, waits")
        assert job["error"] == "a reason"
    assert attempts == [1, 2, 2, 2]
    assert job["waits"] == 2


async def test_who_was_overtaken_puts_nothing_back(queued: Room) -> None:
    first = await take(queued, lease_s=0.01)
    await asyncio.sleep(0.05)
    second = await take(queued, "b")
    assert first is not None
    assert second is not None
    await retry(queued.database, first, "too late")
    async with queued.database.transaction() as connection:
        await hold(connection, second)


async def test_waiting_for_days_is_waiting_half_a_minute_at_a_time(queued: Room) -> None:
    await queued.fetch("UPDATE jobs SET waits = 100000 RETURNING id")
    lease = await take(queued)
    assert lease is not None
    await wait(queued.database, lease, "still away")
    [job] = await queued.fetch("SELECT extract(epoch FROM due_at - now())::int AS delay_s FROM jobs")
    assert 25 <= job["delay_s"] <= 30
