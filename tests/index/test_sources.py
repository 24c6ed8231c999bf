from pathlib import Path
from typing import Any

import pytest

from index.audience import Viewer
from index.sources import add_source, find_source, list_statuses, remove_source
from tandem.db.pool import Database
from tandem.errors import SourceError
from tests.index.conftest import Room


async def test_a_source_is_named_for_its_folder(database: Database, folder: Path) -> None:
    source = await add_source(database, folder, name=None, added_by="ann")
    assert (source.name, source.kind, source.location) == ("docs", "folder", str(folder))
    assert await find_source(database, "docs") == source


async def test_adding_the_same_again_returns_it(database: Database, folder: Path) -> None:
    first = await add_source(database, folder, name="hr", audience="hr", added_by="ann")
    assert await add_source(database, folder / "people" / "..", name="hr", audience="hr", added_by="bob") == first


@pytest.mark.parametrize("other", [{"audience": "hr"}, {"workspace": "slack:T1"}, {"subfolder": "people"}])
async def test_a_taken_name_is_refused(database: Database, folder: Path, other: dict[str, Any]) -> None:
    await add_source(database, folder, name="docs", added_by="ann")
    with pytest.raises(SourceError, match="already"):
        await add_source(database, folder / other.pop("subfolder", ""), name="docs", added_by="ann", **other)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b"])
async def test_a_name_must_be_printable(database: Database, folder: Path, name: str) -> None:
    with pytest.raises(SourceError, match="name"):
        await add_source(database, folder, name=name, added_by="ann")


async def test_a_missing_folder_is_refused(database: Database, folder: Path) -> None:
    with pytest.raises(SourceError, match="no folder"):
        await add_source(database, folder / "nothing", name=None, added_by="ann")
    with pytest.raises(SourceError, match="no source"):
        await find_source(database, "nothing")


async def test_removing_leaves_nothing_but_the_trail(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    await remove_source(room.database, "docs", removed_by="bob")
    for table in ("sources", "documents", "chunks", "looks", "jobs"):
        assert await room.fetch(f"SELECT * FROM {table}") == []
    await room.check_counts()
    assert not (await room.search("vacation")).hits
    trail = await room.fetch("SELECT actor, action, subject FROM audit_trail ORDER BY id")
    assert [tuple(row.values()) for row in trail] == [
        ("test", "add source", "docs"),
        ("test", "re-index", "docs"),
        ("bob", "remove source", "docs"),
    ]
    with pytest.raises(SourceError):
        await remove_source(room.database, "docs", removed_by="bob")


async def test_the_status_says_how_a_source_stands(room: Room, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"junk")
    source = await room.add(folder)
    [before] = await list_statuses(room.database)
    assert (before.documents, before.chunks, before.last_look_state) == (0, 0, None)
    await room.look(source)
    [status] = await list_statuses(room.database)
    assert (status.source, status.documents, status.failed, status.last_look_state) == (source, 4, 1, "done")
    assert status.chunks == 5
    assert status.last_look_at is not None
    [failure] = status.failures
    assert failure.startswith("broken.pdf: It cannot be opened")


async def test_a_viewer_sees_only_their_sources(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder, "open"))
    await room.look(await room.add(folder / "people", "hr", audience="hr"))
    await room.look(await room.add(folder, "theirs", workspace="slack:T2"))

    async def names(viewer: Viewer) -> list[str]:
        return [status.source.name for status in await list_statuses(room.database, viewer)]

    assert await names(Viewer("slack:T1")) == ["open"]
    assert await names(Viewer("slack:T1", frozenset({"hr"}))) == ["hr", "open"]
    assert await names(Viewer("slack:T2")) == ["open", "theirs"]
    assert await names(Viewer("")) == []
    [status] = await list_statuses(room.database, Viewer("slack:T1"))
    assert (status.documents, status.last_look_state) == (3, "done")
