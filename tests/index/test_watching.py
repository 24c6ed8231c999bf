"""A change in a folder leads to a look within a moment, and so does one in a folder that was added meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from index import watching
from index.sources import Source, remove_source
from index.watching import find_touched, watch_folders
from tests.index.conftest import Room

PATIENCE_S = 20


@pytest.fixture
async def watched(room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    monkeypatch.setattr(watching, "REFRESH_S", 0.1)
    monkeypatch.setattr(watching, "QUIET_MS", 50)
    monkeypatch.setattr(watching, "PAUSE_S", 0.05)
    source = await room.add(folder)
    await room.look(source)
    task = asyncio.create_task(watch_folders(room.database, room.settings))
    yield folder
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def wait_for_look(room: Room, source: str, touch: Path, text: str) -> None:
    """Changes the file until it is noticed: when the watching begins cannot be seen from here."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        await asyncio.to_thread(touch.write_text, text)
        for _ in range(10):
            await asyncio.sleep(0.05)
            found = await room.fetch(
                "SELECT l.id FROM looks l JOIN sources s ON s.id = source_id"
                " WHERE s.name = %(name)s AND requested_by = 'watch' AND l.state = 'queued'",
                name=source,
            )
            if found:
                await room.drain()
                return
        assert asyncio.get_running_loop().time() < deadline


async def test_a_change_is_looked_at_at_once(room: Room, watched: Path) -> None:
    (watched / "loop").symlink_to(watched)
    await wait_for_look(room, "docs", watched / "people" / "sick.md", "# Sick\n\nCall by nine.\n")
    assert "people/sick.md" in await room.texts()
    other = watched.parent / "other"
    other.mkdir()
    await room.look(await room.add(other, "other"))
    await wait_for_look(room, "other", other / "a.md", "# A\n\ntext\n")
    await remove_source(room.database, "other", removed_by="test")
    await wait_for_look(room, "docs", watched / "leave.md", "# Leave\n\nForty days.\n")


def test_only_what_may_be_a_document_or_a_folder_of_them_is_a_change() -> None:
    docs, more = (Source(n, name, "folder", f"/srv/.x/{name}", "*", "everyone") for n, name in enumerate(("d", "d/m")))
    folders = {Path("/srv/.x/d"): (1, (docs,)), Path("/srv/.x/d/m"): (2, (more,))}

    def touched(*paths: str) -> list[Source]:
        return find_touched(folders, [Path("/srv/.x") / path for path in paths])

    assert touched("d/a.md") == [docs]
    assert touched("d/gone") == [docs]
    assert touched("d/m/a.PDF", "d/m/b.md") == [docs, more]
    assert touched("d/.git/notes.md", "d/a.jpg", "d/a.md~", "other/a.md") == []


def test_a_folder_with_a_dot_in_its_name_is_a_folder_too(folder: Path) -> None:
    docs = Source(1, "docs", "folder", str(folder), "*", "everyone")
    (folder / "people").rename(folder / "people.v2")
    (folder / "photo.v2").touch()
    assert find_touched({folder: (1, (docs,))}, [folder / "people.v2"]) == [docs]
    assert find_touched({folder: (1, (docs,))}, [folder / "photo.v2"]) == []


async def test_a_folder_with_a_dot_in_its_name_is_looked_at_when_it_is_renamed(room: Room, watched: Path) -> None:
    (watched / "people").rename(watched / "people.v1")
    await wait_for_look(room, "docs", watched / "leave.md", "# Leave\n\nForty days.\n")  # by now it is watched
    (watched / "people.v1").rename(watched / "people.v2")
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while "people.v2/travel.md" not in await room.texts():
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
        await room.drain()
