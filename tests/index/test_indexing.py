import asyncio
import random
from pathlib import Path

import pytest

from index.connectors import folder as folder_connector
from index.connectors.folder import read_document
from index.documents import RawDocument
from index.jobs import DocumentCounts, enqueue_look, read_look, run_next_job
from index.sources import remove_source
from tests.index.conftest import Room


async def test_bad_files_fail_with_a_reason_and_stop_nobody(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    (folder / "junk.md").write_bytes(random.Random(1).randbytes(3000))
    (folder / "empty.md").touch()
    (folder / "vanishing.md").write_text("soon gone")
    (folder / "large.txt").write_text("word " * 30_000)
    monkeypatch.setattr("index.connectors.folder.MAX_BYTES", 100_000)
    source = await room.add(folder)
    look = await enqueue_look(room.database, room.settings, source, requested_by="test")
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    (folder / "vanishing.md").unlink()
    await room.drain()
    progress = await read_look(room.database, look)
    assert progress.documents == DocumentCounts(added=3, failed=5)
    reasons = dict(failure.split(": ", 1) for failure in progress.failures)
    assert "cannot be opened" in reasons["broken.pdf"]
    assert "not text" in reasons["junk.md"]
    assert "no text" in reasons["empty.md"]
    assert "vanished" in reasons["vanishing.md"]
    assert "MB" in reasons["large.txt"]


async def test_an_edit_embeds_its_own_chunk_alone(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    before = await room.fetch(
        "SELECT c.id, position FROM chunks c JOIN documents d ON d.id = document_id ORDER BY c.id"
    )
    page = folder / "leave.md"
    page.write_text(page.read_text().replace("twelve weeks", "sixteen weeks"))
    progress = await room.look(source)
    assert progress.documents == DocumentCounts(changed=1, unchanged=2)
    assert (progress.chunks.embedded, progress.chunks.kept, progress.chunks.removed) == (1, 4, 1)
    after = await room.fetch("SELECT c.id, position FROM chunks c JOIN documents d ON d.id = document_id ORDER BY c.id")
    assert len([row for row in after if row in before]) == 4
    texts = [hit.text for hit in (await room.search("parental leave weeks")).hits]
    assert "sixteen" in texts[0]
    assert not any("twelve" in text for text in texts)
    await room.check_counts()


async def test_a_touched_file_is_read_and_left_as_it_is(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    before = await room.fetch("SELECT id, indexed_at FROM documents ORDER BY id")
    (folder / "leave.md").touch()
    assert (await room.look(source)).documents == DocumentCounts(unchanged=3)
    assert await room.fetch("SELECT id, indexed_at FROM documents ORDER BY id") == before


async def test_the_same_text_elsewhere_is_not_embedded_again(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(folder)
    await room.look(source)
    (folder / "copy.md").write_bytes((folder / "leave.md").read_bytes())
    progress = await room.look(source)
    assert progress.documents.added == 1
    assert (progress.chunks.embedded, progress.chunks.kept) == (0, 8)


async def test_a_document_that_can_no_longer_be_read_says_nothing_old(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    (folder / "leave.md").write_bytes(random.Random(2).randbytes(3000))
    progress = await room.look(source)
    assert progress.documents == DocumentCounts(unchanged=2, failed=1)
    assert "leave.md" not in await room.texts()
    await room.check_counts()
    (folder / "leave.md").write_text("# Leave\n\nIt is back.\n")
    assert (await room.look(source)).documents == DocumentCounts(added=1, unchanged=2)


async def test_metadata_follows_the_document(room: Room, folder: Path) -> None:
    (folder / "offer.md").write_text("---\ntitle: Offer\nowner: ann\nlicense: CC0\nreview_by: 2031-01-01\n---\nText.\n")
    source = await room.add(folder)
    await room.look(source)
    query = "SELECT title, owner, licence, review_by IS NULL AS open FROM documents WHERE path = 'offer.md'"
    assert await room.fetch(query) == [{"title": "Offer", "owner": "ann", "licence": "CC0", "open": False}]
    (folder / "offer.md").write_text("---\ntitle: New offer\n---\nText.\n")
    await room.look(source)
    assert await room.fetch(query) == [{"title": "New offer", "owner": None, "licence": None, "open": True}]


async def test_an_expiry_reaches_chunks_that_did_not_change(room: Room, folder: Path) -> None:
    page = folder / "printers.txt"
    page.write_text("---\ntitle: Printers\n---\nThe queue is HERON.\n")
    source = await room.add(folder)
    await room.look(source)
    assert (await room.search("HERON")).hits[0].title == "Printers"
    page.write_text("---\ntitle: Printers\nexpires_at: 2020-01-01\n---\nThe queue is HERON.\n")
    progress = await room.look(source)
    assert progress.chunks.embedded == 0
    assert all("HERON" not in hit.text for hit in (await room.search("HERON")).hits)


async def test_readers_see_the_old_document_or_the_new_and_never_a_mix(room: Room, folder: Path) -> None:
    page = folder / "versions.md"

    def write(version: int) -> None:
        page.write_text("".join(f"# Part {part}\n\nThis part {part} is of version{version}.\n\n" for part in range(6)))

    write(0)
    source = await room.add(folder)
    await room.look(source)
    mixed, seen, finished = [], set(), asyncio.Event()

    async def read() -> None:
        while not finished.is_set():
            rows = await room.fetch(
                "SELECT text FROM chunks JOIN documents d ON d.id = document_id WHERE path = 'versions.md'"
            )
            versions = {row["text"].rstrip(".\n").split()[-1] for row in rows}
            seen.update(versions)
            if len(versions) != 1 or len(rows) != 6:
                mixed.append(versions)

    reader = asyncio.create_task(read())
    for version in range(1, 6):
        write(version)
        await room.look(source)
    finished.set()
    await reader
    assert mixed == []
    assert len(seen) > 1


async def test_removing_a_source_while_its_job_runs_resurrects_nothing(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(folder)
    await enqueue_look(room.database, room.settings, source, requested_by="test")
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    loop = asyncio.get_running_loop()

    def read_and_remove(location: str, path: str) -> RawDocument:
        raw = read_document(location, path)
        asyncio.run_coroutine_threadsafe(remove_source(room.database, "docs", removed_by="bob"), loop).result(10)
        return raw

    monkeypatch.setattr(folder_connector, "read_document", read_and_remove)
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    assert await room.drain() == 0
    for table in ("documents", "chunks", "jobs", "looks"):
        assert await room.fetch(f"SELECT * FROM {table}") == []
    await room.check_counts()
