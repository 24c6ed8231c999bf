import asyncio
import os
import random
import shutil
import string
from pathlib import Path

import pytest

from bots.rendering import describe_look
from index import listing
from index.connectors.connector import Cursor, Listing
from index.documents import RawDocument
from index.jobs import SCHEDULE, DocumentCounts, enqueue_look, read_look, run_next_job
from tests.index.conftest import Room


async def test_a_second_look_has_nothing_to_do(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    first = await room.look(source)
    assert first.documents == DocumentCounts(added=3)
    second = await room.look(source)
    assert second.documents == DocumentCounts(unchanged=3)
    assert (second.chunks.embedded, second.chunks.kept, second.chunks.removed) == (0, 5, 0)


async def test_settled_files_are_not_even_opened(room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.connectors.folder.SETTLED_S", -1.0)
    source = await room.add(folder)
    await room.look(source)
    monkeypatch.setattr("index.connectors.folder.read_document", lambda *_: pytest.fail("a file was opened"))
    progress = await room.look(source)
    assert (progress.total, progress.documents) == (0, DocumentCounts(unchanged=3))


async def test_what_vanished_is_removed(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    (folder / "leave.md").unlink()
    progress = await room.look(source)
    assert progress.documents == DocumentCounts(removed=1, unchanged=2)
    assert progress.chunks.removed == 3
    assert set(await room.texts()) == {"people/travel.md", "printers.txt"}
    assert all("vacation" not in hit.text for hit in (await room.search("vacation")).hits)
    await room.check_counts()


async def test_a_renamed_document_is_moved_without_embedding(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    (folder / "leave.md").rename(folder / "holidays.md")
    progress = await room.look(source)
    assert progress.documents == DocumentCounts(added=1, removed=1, unchanged=2)
    assert progress.chunks.embedded == 0
    await room.check_counts()


def fill(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nThis is page number {number}.\n")


@pytest.mark.parametrize("trouble", ["empty", "missing", "most"])
async def test_a_source_that_lists_almost_nothing_is_not_believed(room: Room, tmp_path: Path, trouble: str) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    fill(folder, 12)
    source = await room.add(folder, "many")
    await room.look(source)
    shutil.rmtree(folder)
    if trouble != "missing":
        folder.mkdir()
        fill(folder, 5 if trouble == "most" else 0)
    progress = await room.look(source)
    assert progress.state == "failed"
    assert progress.error is not None
    assert "no folder" in progress.error if trouble == "missing" else "--accept-removals" in progress.error
    assert len(await room.texts()) == 12


async def test_it_is_believed_when_somebody_says_so(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    fill(folder, 12)
    source = await room.add(folder, "many")
    await room.look(source)
    for file in folder.iterdir():
        file.unlink()
    progress = await room.look(source, accept_removals=True)
    assert (progress.state, progress.documents) == ("done", DocumentCounts(removed=12))
    assert await room.texts() == {}
    await room.check_counts()


async def test_a_folder_that_cannot_be_seen_into_has_not_vanished(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(folder)
    await room.look(source)
    scan = os.scandir

    def refuse(path: Path) -> "os._ScandirIterator[str]":
        if Path(path).name == "people":
            raise PermissionError(13, "Permission denied")
        return scan(str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    progress = await room.look(source)
    assert progress.failures == ("people/: The folder may not be read (Permission denied).",)
    assert progress.documents.removed == 0
    assert "people/travel.md" in await room.texts()
    monkeypatch.undo()
    assert (await room.look(source)).documents == DocumentCounts(removed=1, unchanged=3)


async def test_a_failed_document_is_tried_again_when_it_changes_or_somebody_asks(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.connectors.folder.SETTLED_S", -1.0)
    (folder / "broken.pdf").write_bytes(b"junk")
    source = await room.add(folder)
    await room.look(source)
    assert (await room.look(source, by=SCHEDULE)).total == 0
    assert (await room.look(source, by="ann")).documents == DocumentCounts(unchanged=3, failed=1)
    (folder / "broken.pdf").write_bytes(b"other junk")
    assert (await room.look(source, by=SCHEDULE)).documents.failed == 1
    (folder / "broken.pdf").unlink()
    assert (await room.look(source, by=SCHEDULE)).documents == DocumentCounts(removed=1, unchanged=3)


async def test_two_documents_of_one_path_are_told_apart_and_the_rest_is_indexed(room: Room, folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("The name of this one is not UTF-8.")
    (folder / "caf\\xe9.md").write_text("The name of this one is.")
    progress = await room.look(await room.add(folder))
    assert progress.documents == DocumentCounts(added=4)
    [note] = progress.failures
    assert note == (
        f"caf\\xe9.md: file://{folder}/caf%E9.md has the same path as another document, and is passed over."
    )
    assert (await room.texts())["caf\\xe9.md"] == ["The name of this one is."]


async def test_a_path_that_is_too_long_to_be_found_by_is_passed_over_and_the_rest_is_indexed(
    room: Room, folder: Path
) -> None:
    choose = random.Random(0)
    deep = folder.joinpath(*("".join(choose.choices(string.ascii_letters, k=200)) for _ in range(16)))
    deep.mkdir(parents=True)
    (deep / "page.md").write_text("Nobody gets down here.")
    progress = await room.look(await room.add(folder))
    assert progress.documents == DocumentCounts(added=3)
    [note] = progress.failures
    assert note.endswith("…: its path has more than 2,000 bytes, and it is passed over.")
    assert len(note) < 200


async def test_ten_thousand_files_are_listed_in_one_job(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(10_000):
        (folder / f"{number}.md").touch()
    source = await room.add(folder, "many")
    look = await enqueue_look(room.database, room.settings, source, requested_by="test")
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    progress = await read_look(room.database, look)
    assert (progress.state, progress.total, progress.done) == ("running", 10_000, 0)


class Slow:
    """A connector that takes its time, as a large site does."""

    def __init__(self) -> None:
        self.met, self.may_end = 0, asyncio.Event()

    async def list(self, cursor: Cursor | None) -> Listing:
        self.met = 1_240
        await self.may_end.wait()
        return Listing([])

    async def read(self, path: str, stamp: str | None) -> RawDocument:
        raise NotImplementedError


async def test_a_long_listing_tells_what_it_has_met(room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr(listing, "TOLD_EVERY_S", 0.01)
    monkeypatch.setattr(listing, "open_connector", lambda *_: slow)
    look = await enqueue_look(room.database, room.settings, await room.add(folder), requested_by="test")
    listed = asyncio.create_task(room.drain())
    while not (progress := await read_look(room.database, look)).met:
        await asyncio.sleep(0.01)
    assert describe_look(progress) == "`docs`: listing what is there, 1,240 documents so far"
    slow.may_end.set()
    await listed
    assert (await read_look(room.database, look)).state == "done"
