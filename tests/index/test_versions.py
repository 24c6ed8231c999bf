import asyncio
from pathlib import Path

import pytest

from index import versions
from index.jobs import DocumentCounts
from index.versions import describe_pipeline, find_version
from tests.index.conftest import Room


async def test_the_first_version_is_current_and_made_once(room: Room) -> None:
    pipeline = await describe_pipeline(room.model)
    found = await asyncio.gather(*(find_version(room.database, pipeline) for _ in range(6)))
    assert len(set(found)) == 1
    assert await room.fetch("SELECT id, is_current FROM index_versions") == [{"id": found[0], "is_current": True}]


async def test_a_new_pipeline_is_searched_once_it_is_complete(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await room.add(folder, "first"), await room.add(folder / "people", "second")
    await room.look(first)
    await room.look(second)
    old = (await room.search("vacation")).index_version
    monkeypatch.setattr(versions, "CHUNKER", "markdown-next")

    progress = await room.look(first)
    assert progress.documents == DocumentCounts(changed=3)
    result = await room.search("vacation")
    assert (result.index_version, len(result.hits)) == (old, 6), "one source is still missing from the new version"

    await room.look(second)
    result = await room.search("vacation")
    assert result.index_version != old
    assert len(result.hits) == 6
    assert len(await room.fetch("SELECT DISTINCT version_id FROM chunks")) == 1
    await room.check_counts()
    assert (await room.look(first)).documents == DocumentCounts(unchanged=3)
