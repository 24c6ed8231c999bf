import asyncio
import json
from pathlib import Path

import pytest

from index import versions
from index.analyser import ANALYSER
from index.audit import list_entries
from index.jobs import DocumentCounts, enqueue_due_looks
from index.search import search
from index.sources import Source
from index.versions import (
    IndexVersion,
    VersionError,
    describe_pipeline,
    find_version,
    list_versions,
    prune_versions,
    switch_version,
)
from tests.index.conftest import ANYONE, Room


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
    assert (progress.chunks.embedded, progress.chunks.kept) == (0, 5), "the embedder is the same, and so are the texts"
    result = await room.search("vacation")
    assert (result.index_version, len(result.hits)) == (old, 5), "one source is still missing from the new version"

    await room.look(second)
    result = await room.search("vacation")
    assert result.index_version != old
    assert len(result.hits) == 5
    await room.check_counts()
    assert (await room.look(first)).documents == DocumentCounts(unchanged=3)


async def test_what_changes_while_a_version_is_built_is_found_at_once(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await room.add(folder, "first"), await room.add(folder / "people", "second")
    await room.look(first)
    await room.look(second)
    old = (await room.search("vacation")).index_version
    other = '{"embedder": "other"}'  # whose vectors the old version does not have
    await room.fetch(
        "UPDATE index_versions SET pipeline = pipeline || %(other)s::text::jsonb RETURNING id", other=other
    )
    (folder / "printers.txt").write_text("The printer on the fourth floor needs no badge. Its queue is called EGRET.\n")
    (folder / "parking.md").write_text("# Parking\n\nVisitors park in row ZEBRA.\n")

    await room.look(first)  # the second source is still missing
    for query, text in (("EGRET queue", "The printer on the fourth floor"), ("row ZEBRA", "# Parking")):
        result = await room.search(query)
        assert result.index_version == old
        assert result.hits[0].text.startswith(text)
        assert len([hit for hit in result.hits if hit.text == result.hits[0].text]) == 1
    await room.check_counts()

    await room.fetch(
        "UPDATE index_versions SET pipeline = pipeline || jsonb_build_object('embedder', 'new') WHERE NOT is_current"
        " RETURNING id"
    )
    await room.fetch(
        "UPDATE index_versions SET pipeline = pipeline || %(own)s::text::jsonb WHERE is_current RETURNING id",
        own=json.dumps({"embedder": (await describe_pipeline(room.model))["embedder"]}),
    )
    progress = await room.look(first)  # the old pipeline is back
    assert (progress.documents, progress.chunks.embedded) == (DocumentCounts(changed=2, unchanged=2), 2)
    assert await room.fetch("SELECT id FROM chunks WHERE stands_in") == []
    await room.check_counts()


async def build_two(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Source, IndexVersion, IndexVersion]:
    """A source, the version that it was indexed in first, and the one that is searched."""
    source = await room.add(folder)
    await room.look(source)
    await rebuild(room, source, monkeypatch, "markdown-next")
    first, second = await list_versions(room.database)
    return source, first, second


async def rebuild(room: Room, source: Source, monkeypatch: pytest.MonkeyPatch, chunker: str) -> DocumentCounts:
    monkeypatch.setattr(versions, "CHUNKER", chunker)
    return (await room.look(source)).documents


async def test_the_version_before_is_a_way_back_without_embedding_or_stale_text(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(folder)
    await room.look(source)
    await rebuild(room, source, monkeypatch, "markdown-next")
    (folder / "printers.txt").write_text("The printer on the fourth floor needs no badge. Its queue is called EGRET.\n")
    await room.look(source)
    first, second = await list_versions(room.database)
    assert (first.is_current, first.documents, first.missing) == (False, 2, 1)
    assert (second.is_current, second.is_built, second.documents, second.missing) == (True, True, 3, 0)

    await switch_version(room.database, first.id, switched_by="ann")
    result = await room.search("printer badge queue")
    assert result.index_version == str(first.id)
    assert "printers.txt" not in {Path(hit.uri).name for hit in result.hits}, "its old text is gone, the new not there"
    (folder / "parking.md").write_text("# Parking\n\nVisitors park in row ZEBRA.\n")
    await room.look(source)
    result = await room.search("row ZEBRA")
    assert result.index_version == str(first.id), "a look moves nobody who chose"
    assert result.hits[0].text.startswith("# Parking")

    monkeypatch.undo()
    progress = await room.look(source)
    assert (progress.documents, progress.chunks.embedded) == (DocumentCounts(changed=2, unchanged=2), 0)
    assert (await room.search("printer badge queue")).hits[0].text.startswith("The printer on the fourth floor")
    await room.check_counts()
    assert [version.is_held for version in await list_versions(room.database)] == [False, False]
    await rebuild(room, source, monkeypatch, "markdown-after-next")
    assert (await room.search("vacation")).index_version not in {str(first.id), str(second.id)}
    entries = [(entry.actor, entry.action, entry.subject) for entry in await list_entries(room.database, 99)]
    assert ("ann", "switch index", f"version {first.id}") in entries


async def test_to_choose_the_version_that_is_built_lets_the_next_one_take_over(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, first, second = await build_two(room, folder, monkeypatch)
    await switch_version(room.database, first.id, switched_by="ann")
    await switch_version(room.database, second.id, switched_by="ann")
    await rebuild(room, source, monkeypatch, "markdown-after-next")
    assert (await room.search("vacation")).index_version not in {str(first.id), str(second.id)}


async def test_pruning_leaves_what_is_searched_and_what_is_built(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, first, second = await build_two(room, folder, monkeypatch)
    assert await prune_versions(room.database, pruned_by="ann", kept_days=14) == []
    await switch_version(room.database, first.id, switched_by="ann")
    assert await prune_versions(room.database, pruned_by="ann") == []
    await switch_version(room.database, second.id, switched_by="ann")
    assert await prune_versions(room.database, pruned_by="ann") == [first.id]
    assert {row["version_id"] for row in await room.fetch("SELECT version_id FROM chunks")} == {second.id}
    await room.check_counts()
    with pytest.raises(VersionError, match="pruned"):
        await switch_version(room.database, first.id, switched_by="ann")
    with pytest.raises(VersionError, match="no index version 99"):
        await switch_version(room.database, 99, switched_by="ann")
    monkeypatch.undo()
    assert (await room.look(source)).documents == DocumentCounts(changed=3), "a pruned version is built anew"


async def test_what_another_embedder_made_is_embedded_anew(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    await room.fetch(
        "UPDATE index_versions SET pipeline = pipeline || %(other)s::text::jsonb RETURNING id",
        other='{"embedder": "x"}',
    )
    progress = await room.look(source)
    assert (progress.documents, progress.chunks.embedded) == (DocumentCounts(changed=3), 5)


async def test_only_the_last_version_is_kept_and_only_for_a_while(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(folder)
    await room.look(source)
    for chunker in ("markdown-next", "markdown-after-next"):
        await rebuild(room, source, monkeypatch, chunker)
    await enqueue_due_looks(room.database, room.settings)
    assert [version.documents for version in await list_versions(room.database)] == [0, 3, 3]
    await room.fetch("UPDATE index_versions SET left_at = left_at - interval '15 days' RETURNING id")
    await enqueue_due_looks(room.database, room.settings)
    assert [version.documents for version in await list_versions(room.database)] == [0, 0, 3]


async def test_a_version_of_another_analyser_or_embedder_is_searched_by_the_side_that_fits(
    room: Room, folder: Path
) -> None:
    await room.look(await room.add(folder))
    query = "Which days of vacation do parents have?"
    change = "UPDATE index_versions SET pipeline = pipeline || %(other)s::text::jsonb RETURNING id"

    await room.fetch(change, other='{"analyser": "other"}')
    by_meaning = await room.search(query)
    expected = await search(room.database, room.model, query, ANYONE, weights=(1.0, 0.0))
    assert {hit.lexical for hit in by_meaning.hits} == {0.0}
    assert by_meaning.known_share == 0
    assert {hit.chunk_id for hit in by_meaning.hits} == {hit.chunk_id for hit in expected.hits}

    await room.fetch(change, other='{"embedder": "other"}')
    with pytest.raises(VersionError, match="embedded by other"):
        await room.search(query)

    await room.fetch(change, other=json.dumps({"analyser": ANALYSER}))
    by_words = await room.search(query)
    assert {hit.dense for hit in by_words.hits} == {0.0}
    assert min(hit.lexical for hit in by_words.hits) > 0
    expected = await search(room.database, room.model, query, ANYONE, weights=(0.0, 1.0))
    assert [hit.chunk_id for hit in by_words.hits] == [hit.chunk_id for hit in expected.hits if hit.lexical > 0]
