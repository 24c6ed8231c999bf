import asyncio
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from index import indexing
from index.documents import ExtractedDocument
from index.extraction import extract_document
from index.jobs import (
    SCHEDULE,
    DocumentCounts,
    cancel_look,
    enqueue_due_looks,
    enqueue_look,
    is_work_due,
    read_look,
    run_next_job,
)  # fmt: skip
from index.leases import LeaseLost, lease_job
from index.listing import list_source
from index.sources import remove_source
from tandem.errors import SourceError
from tandem.models.client import ModelClient
from tests.index.conftest import Room


async def step(room: Room) -> bool:
    return await run_next_job(room.database, room.model, room.settings, worker="test")


async def make_due(room: Room) -> None:
    await room.fetch("UPDATE jobs SET due_at = now() WHERE state = 'queued' RETURNING id")


async def test_progress_is_told_from_queued_to_done(room: Room, folder: Path) -> None:
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    progress = await read_look(room.database, look)
    assert (progress.source, progress.state, progress.done, progress.total) == ("docs", "queued", 0, 0)
    states = []
    while await step(room):
        progress = await read_look(room.database, look)
        states.append((progress.state, progress.done, progress.total))
    assert states == [("running", 0, 3), ("running", 1, 3), ("running", 2, 3), ("done", 3, 3)]
    final = await read_look(room.database, look)
    await asyncio.sleep(0.05)
    assert (await read_look(room.database, look)).seconds == final.seconds > 0
    assert not await is_work_due(room.database)


async def test_an_open_look_takes_a_request_in(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    looks = await asyncio.gather(
        *(enqueue_look(room.database, room.settings, source, requested_by="test") for _ in range(5))
    )
    assert len(set(looks)) == 1
    await room.drain()
    assert await enqueue_look(room.database, room.settings, source, requested_by="test") != looks[0]


async def test_what_changed_after_the_listing_is_seen_by_who_asked_then(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    look = await enqueue_look(room.database, room.settings, source, requested_by=SCHEDULE)
    assert await step(room)
    (folder / "late.md").write_text("# Late\n\nThis came after the listing.\n")
    assert await enqueue_look(room.database, room.settings, source, requested_by="ann") == look
    await room.drain()
    progress = await read_look(room.database, look)
    assert (progress.state, progress.documents.added) == ("done", 4)
    assert "late.md" in await room.texts()


async def test_a_model_server_that_is_away_is_waited_for(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tandem.models.client.PATIENCE_S", 0.1)
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    assert await step(room)
    nowhere = room.settings.model_copy(update={"model_url": "http://127.0.0.1:9"})
    async with ModelClient.open(nowhere) as nobody:
        for _ in range(5):
            assert not await step(replace(room, model=nobody)), "who drains the ledger is told to stop"
            await make_due(room)
    progress = await read_look(room.database, look)
    assert (progress.state, progress.done, progress.documents.failed) == ("running", 0, 0)
    assert progress.error is not None
    assert "model server" in progress.error.lower()
    await room.drain()
    final = await read_look(room.database, look)
    assert (final.state, final.documents, final.error) == ("done", DocumentCounts(added=3), None)


@contextmanager
def serve_refusals(status: int, embedder: str) -> Iterator[str]:
    """A model server that lists the same models, and answers whatever else with this status."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(200, {"data": [{"id": "chat"}, {"id": embedder, "kind": "embedding"}]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(status, {"error": {"message": f"No: {status}."}})

        def answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def change_and_refuse(room: Room, folder: Path, status: int, tries: int) -> int:
    """Indexes the folder, changes a document, and tries it with a model server that refuses; returns the look's id."""
    source = await room.add(folder)
    await room.look(source)
    (folder / "leave.md").write_text("# Leave\n\nEverybody has forty days of vacation a year.\n")
    look = await enqueue_look(room.database, room.settings, source, requested_by="ann")
    with serve_refusals(status, (await room.model.describe()).embedding_model) as url:
        settings = room.settings.model_copy(update={"model_url": url})
        async with ModelClient.open(settings) as refused:
            for _ in range(tries):
                await replace(room, model=refused).drain()
                await make_due(room)
    return look


@pytest.mark.parametrize("status", [401, 404])
async def test_a_model_server_that_refuses_everybody_takes_no_passage_away(
    room: Room, folder: Path, status: int
) -> None:
    look = await change_and_refuse(room, folder, status, tries=5)
    progress = await read_look(room.database, look)
    assert (progress.state, progress.documents.failed) == ("running", 0)
    assert progress.error is not None
    assert progress.error.startswith(f"The model server refuses: No: {status}. ")
    assert "thirty" in (await room.texts())["leave.md"][0]
    await room.drain()
    assert (await read_look(room.database, look)).documents.changed == 1
    assert "forty" in (await room.texts())["leave.md"][0]


async def test_a_text_that_the_model_server_refuses_fails_its_document_alone(room: Room, folder: Path) -> None:
    look = await change_and_refuse(room, folder, 413, tries=1)
    progress = await read_look(room.database, look)
    assert (progress.state, progress.documents.failed) == ("done", 1)
    assert progress.failures == ("leave.md: The model server refuses the request: No: 413.",)
    assert set(await room.texts()) == {"people/travel.md", "printers.txt"}


async def test_an_unexpected_fault_is_tried_three_times_and_its_message_is_not_logged(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(data: bytes, path: str) -> ExtractedDocument:
        if path == "leave.md":
            raise ValueError(data.decode())
        return extract_document(data, path)

    monkeypatch.setattr(indexing, "extract_document", stumble)
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await room.drain()
            await make_due(room)
    progress = await read_look(room.database, look)
    assert (progress.state, progress.documents) == ("done", DocumentCounts(added=2, failed=1))
    assert progress.failures == ("leave.md: An unexpected fault (ValueError); the worker's log says where.",)
    assert caplog.text.count("ended with ValueError") == 3
    assert "vacation" not in caplog.text


async def test_a_document_that_kills_its_workers_is_given_up(room: Room, folder: Path) -> None:
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    assert await step(room)
    await room.fetch(
        "UPDATE jobs SET state = 'running', attempts = 3, token = 3, lease_until = now() - interval '1 s'"
        " WHERE path = 'leave.md' RETURNING id"
    )
    await room.drain()
    progress = await read_look(room.database, look)
    assert (progress.state, progress.documents) == ("done", DocumentCounts(added=2, failed=1))
    assert "died 3 times" in progress.failures[0]


async def test_a_listing_that_cannot_be_done_fails_its_look(room: Room, folder: Path) -> None:
    source = await room.add(folder / "people")
    (folder / "people" / "travel.md").unlink()
    (folder / "people").rmdir()
    progress = await room.look(source)
    assert progress.state == "failed"
    assert progress.error is not None
    assert "no folder" in progress.error
    (folder / "people").mkdir()
    assert (await room.look(source)).state == "done"


async def test_looks_come_due_by_themselves(room: Room, folder: Path) -> None:
    await room.add(folder, "one")
    await room.add(folder, "two")
    assert await enqueue_due_looks(room.database, room.settings) == 2
    assert await enqueue_due_looks(room.database, room.settings) == 0
    await room.drain()
    assert await enqueue_due_looks(room.database, room.settings) == 0
    soon = room.settings.model_copy(update={"look_interval_s": 0.01})
    assert await enqueue_due_looks(room.database, soon) == 2


async def test_old_looks_are_forgotten_but_the_last(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    first, second = (await room.look(source)).id, (await room.look(source)).id
    await room.fetch("UPDATE looks SET finished_at = now() - interval '31 days' RETURNING id")
    await enqueue_due_looks(room.database, room.settings)
    with pytest.raises(SourceError):
        await read_look(room.database, first)
    assert (await read_look(room.database, second)).state == "done"


async def test_a_removed_source_has_no_looks(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    progress = await room.look(source)
    await remove_source(room.database, "docs", removed_by="test")
    with pytest.raises(SourceError):
        await read_look(room.database, progress.id)
    with pytest.raises(SourceError):
        await enqueue_look(room.database, room.settings, source, requested_by="test")


async def test_many_workers_share_the_jobs_and_do_each_once(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nThis is page number {number}.\n")
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    assert await step(room)
    counts = await asyncio.gather(*(room.drain() for _ in range(4)))
    assert sum(counts) == 20
    progress = await read_look(room.database, look)
    assert (progress.state, progress.documents, progress.chunks.embedded) == ("done", DocumentCounts(added=20), 20)
    await room.check_counts()


async def test_a_cancelled_look_ends_at_once_and_keeps_what_it_did(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    look = await enqueue_look(room.database, room.settings, source, requested_by="test")
    assert await step(room)
    assert await step(room)
    assert await cancel_look(room.database, source, cancelled_by="ann") == look
    progress = await read_look(room.database, look)
    assert (progress.state, progress.done, progress.documents) == ("cancelled", 1, DocumentCounts(added=1))
    assert not await step(room)
    assert not await is_work_due(room.database)
    assert await cancel_look(room.database, source, cancelled_by="ann") is None
    assert (await room.look(source)).documents == DocumentCounts(added=2, unchanged=1)
    await room.check_counts()


@pytest.mark.parametrize("kind", ["list", "index"])
async def test_what_a_worker_has_in_hand_is_not_written_after_a_cancel(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source = await room.add(folder)
    look = await enqueue_look(room.database, room.settings, source, requested_by="test")
    if kind == "index":
        assert await step(room)

    async def cancel_meanwhile(call: Callable[..., object], *arguments: object) -> object:
        assert await cancel_look(room.database, source, cancelled_by="ann") == look
        return call(*arguments)

    monkeypatch.setattr("asyncio.to_thread", cancel_meanwhile)
    assert await step(room)
    monkeypatch.undo()
    assert (await read_look(room.database, look)).state == "cancelled"
    assert await room.texts() == {}
    assert {row["state"] for row in await room.fetch("SELECT state FROM jobs")} == {"cancelled"} | (
        {"done"} if kind == "index" else set()
    )
    assert (await room.look(source)).documents == DocumentCounts(added=3)


async def test_a_look_that_was_cancelled_before_its_listing_stays_cancelled(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    look = await enqueue_look(room.database, room.settings, source, requested_by="test")
    lease = await lease_job(room.database, room.settings, "test")
    assert lease is not None
    await cancel_look(room.database, source, cancelled_by="ann")
    with pytest.raises(LeaseLost):
        await list_source(room.database, room.model, room.settings, lease)
    assert (await read_look(room.database, look)).state == "cancelled"


async def test_cancels_beside_working_workers_leave_a_ledger_that_goes_on(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nThis is page number {number}.\n")
    source = await room.add(folder)

    async def meddle() -> None:
        for _ in range(8):
            await enqueue_look(room.database, room.settings, source, requested_by="ann")
            await asyncio.sleep(0.02)
            await cancel_look(room.database, source, cancelled_by="ann")

    await asyncio.gather(meddle(), *(room.drain() for _ in range(3)))
    await room.look(source)
    assert len(await room.texts()) == 12
    await room.check_counts()


async def test_time_left_is_told_once_enough_is_done(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nThis is page number {number}.\n")
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    left = []
    while await step(room):
        left.append((await read_look(room.database, look)).seconds_left)
    assert left[:3] == [None, None, None]
    assert left[3] is not None
    assert left[3] > 0
    assert left[-1] is None
    await room.fetch("UPDATE looks SET state = 'running' RETURNING id")
    await room.fetch("UPDATE jobs SET finished_at = now() - interval '40 s' WHERE kind = 'list' RETURNING id")
    await room.fetch("UPDATE jobs SET state = 'queued', outcome = NULL WHERE path IN ('4.md', '5.md') RETURNING id")
    estimate = (await read_look(room.database, look)).seconds_left
    assert estimate == pytest.approx(20, abs=2)
