"""Worker processes that are killed, raced and misinformed end in the same index as one that is left alone."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.jobs import DocumentCounts
from index.sources import remove_source
from index.wakeups import RUN_JOBS, send_wakeup
from tandem.db.migrations import migrate
from tandem.db.pool import Database
from tandem.db.server import ensure_server, stop_server_if_idle
from tandem.settings import Settings
from tests.conftest import open_home
from tests.workers.conftest import DOCUMENTS, Crew, make_crew, write_document
from workers.app import LEARN, LOOK_AT_SOURCES, RECOVER_S, make_app


async def test_a_worker_does_what_was_asked_before_and_after_it_came(crew: Crew) -> None:
    source = await crew.add()
    first = await crew.ask(source)
    crew.start()
    assert (await crew.wait_until_done(first)).documents == DocumentCounts(added=DOCUMENTS)
    write_document(crew.folder, 0, "second")
    progress = await crew.wait_until_done(await crew.ask(source))
    assert progress.documents == DocumentCounts(changed=1, unchanged=DOCUMENTS - 1)
    assert progress.seconds < RECOVER_S, "the wake-up was not heard"
    await crew.check_index()


async def test_a_killed_worker_loses_nothing(crew: Crew) -> None:
    look = await crew.ask(await crew.add())
    for after in (0, 3, 6):
        await crew.kill_in_the_middle_of_a_job(crew.start(), after)
    crew.start()
    crew.start("beat")
    assert (await crew.wait_until_done(look)).documents == DocumentCounts(added=DOCUMENTS)
    await crew.check_index()


async def test_lost_messages_cost_only_time(crew: Crew) -> None:
    crew.start()
    crew.start("beat")
    source = await crew.add()
    row = await crew.database.fetch_one(
        b"WITH look AS (INSERT INTO looks (source_id, requested_by, retry_failed, accept_removals)"
        b" VALUES (%(source)s, 'test', true, false) RETURNING id)"
        b" INSERT INTO jobs (look_id, kind) SELECT id, 'list' FROM look RETURNING look_id",
        {"source": source.id},
    )
    assert row is not None
    assert (await crew.wait_until_done(row["look_id"])).documents == DocumentCounts(added=DOCUMENTS)
    await crew.check_index()


async def test_doubled_messages_and_racing_workers_do_each_job_once(crew: Crew) -> None:
    for _ in range(3):
        crew.start()
    source = await crew.add()
    look = await crew.ask(source)
    for _ in range(20):
        assert await send_wakeup(crew.settings, crew.database.conninfo)
    assert (await crew.wait_until_done(look)).documents == DocumentCounts(added=DOCUMENTS)
    assert await crew.database.fetch_all(b"SELECT max(attempts) AS attempts FROM jobs") == [{"attempts": 1}]
    await crew.check_index()


async def test_a_source_removed_under_a_worker_is_gone(crew: Crew) -> None:
    await crew.ask(await crew.add())
    worker = crew.start()
    await crew.wait_for("SELECT id FROM jobs WHERE kind = 'index' AND state = 'running'")
    await remove_source(crew.database, "docs", removed_by="test")
    other = await crew.add()
    assert (await crew.wait_until_done(await crew.ask(other))).documents == DocumentCounts(added=DOCUMENTS)
    assert worker.poll() is None
    await crew.check_index()


async def test_a_worker_that_is_told_to_stop_ends_between_two_jobs(crew: Crew) -> None:
    look = await crew.ask(await crew.add())
    worker = crew.start()
    await crew.wait_for("SELECT id FROM jobs WHERE kind = 'index' AND state = 'done'")
    worker.terminate()
    assert worker.wait(30) == 0
    assert await crew.database.fetch_all(b"SELECT id FROM jobs WHERE state = 'running'") == []
    crew.start()
    await crew.wait_until_done(look)
    await crew.check_index()


async def test_the_beat_has_every_source_looked_at(crew: Crew) -> None:
    crew.settings = crew.settings.model_copy(update={"look_interval_s": 20})
    await crew.add()
    crew.start()
    crew.start("beat")
    await crew.wait_for("SELECT id FROM looks WHERE state = 'done' AND requested_by = 'schedule'")
    await crew.check_index()


@pytest.fixture
def own_home() -> Iterator[Path]:
    with open_home() as home:
        yield home


async def test_postgres_killed_under_a_worker_loses_nothing(model_url: str, tmp_path: Path, own_home: Path) -> None:
    settings = Settings(home=own_home, model_url=model_url, lease_s=1.0, look_interval_s=3600, _env_file=None)
    conninfo = ensure_server(settings)
    migrate(conninfo)
    async with Database.open(settings) as database:
        crew = make_crew(settings, database, tmp_path)
        try:
            look = await crew.ask(await crew.add())
            crew.start()
            crew.start("beat")
            await crew.wait_for("SELECT id FROM jobs WHERE kind = 'index' AND state = 'done'")
            os.kill(int((settings.home / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            await asyncio.to_thread(ensure_server, settings)
            assert (await crew.wait_until_done(look)).documents == DocumentCounts(added=DOCUMENTS)
            await crew.check_index()
        finally:
            crew.stop()
    stop_server_if_idle(settings, conninfo)


def test_the_application_is_set_up_to_lose_nothing(settings: Settings) -> None:
    app = make_app(settings)
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 0  # a bound would be used up by acknowledgements that failed
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_backend is None
    assert {RUN_JOBS, LOOK_AT_SOURCES} <= set(app.tasks)
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == {RUN_JOBS, LOOK_AT_SOURCES, LEARN}
