from pathlib import Path

import psycopg
import pytest

from index.jobs import DocumentCounts
from index.reader import read_as
from index.sources import Source, add_source, remove_source
from index.uploads import KIND, put_uploads, read_file, remove_uploads
from tandem.errors import SourceError
from tests.index.conftest import ANYONE, Room

LEAVE = b"# Leave\n\nEverybody has thirty days of vacation.\n"


async def add(room: Room) -> Source:
    return await add_source(room.database, "", name=None, kind=KIND, added_by="test")


async def test_files_are_uploaded_replaced_and_removed(room: Room) -> None:
    source = await add(room)
    await put_uploads(room.database, source, [("leave.md", LEAVE), ("new\nline.txt", b"Take the train.")], actor="ann")
    assert (await room.look(source)).documents == DocumentCounts(added=2)
    hit = (await room.search("vacation")).hits[0]
    assert (hit.title, hit.uri) == ("Leave", "upload:uploads/leave.md")
    await put_uploads(room.database, source, [("leave.md", LEAVE.replace(b"thirty", b"forty"))], actor="ann")
    assert (await room.look(source)).documents == DocumentCounts(changed=1, unchanged=1)
    assert "forty" in (await room.search("vacation")).hits[0].text
    await remove_uploads(room.database, source, ["leave.md", "new\nline.txt"], actor="bob")
    assert (await room.look(source, accept_removals=True)).documents == DocumentCounts(removed=2)
    trail = await room.fetch("SELECT actor, action FROM audit_trail WHERE subject <> 'uploads' ORDER BY id")
    assert [row["action"] for row in trail] == ["upload"] * 3 + ["remove upload"] * 2


async def test_what_cannot_be_uploaded_changes_nothing(room: Room, folder: Path) -> None:
    source = await add(room)
    with pytest.raises(SourceError, match="Two of the files"):
        await put_uploads(room.database, source, [("a/x.md", LEAVE), ("b/x.md", LEAVE)], actor="ann")
    with pytest.raises(SourceError, match="not UTF-8"):
        await put_uploads(room.database, source, [("x.md", LEAVE), ("\udce9.md", LEAVE)], actor="ann")
    assert await room.fetch("SELECT * FROM uploads") == []
    with pytest.raises(SourceError, match="no file"):
        await remove_uploads(room.database, source, ["x.md"], actor="ann")
    with pytest.raises(SourceError, match="not uploads"):
        await put_uploads(room.database, await room.add(folder), [("x.md", LEAVE)], actor="ann")


def test_only_files_that_can_be_read_are_taken(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    with (tmp_path / "large.md").open("wb") as file:
        file.truncate(200 * 2**20)
    for name, said in (("film.mp4", "no kind"), ("large.md", "200 MB"), ("gone.md", "cannot be read")):
        with pytest.raises(SourceError, match=said):
            read_file(tmp_path / name)


async def test_uploads_go_with_their_source_and_are_read_by_no_viewer(room: Room) -> None:
    source = await add(room)
    await put_uploads(room.database, source, [("leave.md", LEAVE)], actor="ann")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with read_as(room.database, ANYONE) as connection:
            await connection.execute(b"SELECT * FROM uploads")
    await remove_source(room.database, "uploads", removed_by="test")
    assert await room.fetch("SELECT * FROM uploads") == []
