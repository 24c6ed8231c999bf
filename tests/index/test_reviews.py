import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.audit import list_entries
from index.jobs import DocumentCounts, enqueue_look, is_work_due, read_look, run_next_job
from index.reviews import Ruling, find_document, list_untold, mark_told, read_notice, rule_on_document, rule_on_source
from index.sources import Source, Terms, set_terms
from index.standing import list_standings
from tandem.errors import SourceError
from tests.index.conftest import Room

EVERYWHERE = ["*", "slack:T1"]


@pytest.fixture
def due_folder(folder: Path) -> Path:
    (folder / "leave.md").write_text(
        "---\nowner: slack:U1\nreview_by: 2020-01-01\n---\n# Leave\n\nThirty days of vacation.\n"
    )
    (folder / "later.md").write_text("---\nowner: slack:U1\nreview_by: 2120-01-01\n---\n# Later\n\nNot yet.\n")
    return folder


async def rule(room: Room, ruling: Ruling, path: str = "leave.md", by: str = "slack:U1") -> None:
    document = await find_document(room.database, "docs", path)
    assert await rule_on_document(room.database, room.settings, document, ruling, by=by)


async def set_on(room: Room, source: Source, terms: Terms, *given: str) -> None:
    await set_terms(room.database, room.settings, source.name, terms, set(given), set_by="ann")


async def test_each_owner_is_to_be_told_once_of_each_document_that_is_due(room: Room, due_folder: Path) -> None:
    await room.look(await room.add(due_folder))
    found = await asyncio.gather(*(list_untold(room.database, "slack:", EVERYWHERE) for _ in range(4)))
    [untold] = await list_untold(room.database, "slack:", EVERYWHERE)
    assert {one.id for batch in found for one in batch} == {untold.id}
    assert untold.owner == "slack:U1"
    assert await list_untold(room.database, "discord:", EVERYWHERE) == []
    notice = await read_notice(room.database, untold.id)
    assert notice is not None
    assert (notice.source, notice.path, notice.title, notice.state) == ("docs", "leave.md", "Leave", "indexed")
    await mark_told(room.database, untold.id)
    assert await list_untold(room.database, "slack:", EVERYWHERE) == []


async def test_what_was_settled_before_its_owner_was_told_needs_no_telling(room: Room, due_folder: Path) -> None:
    await room.look(await room.add(due_folder))
    assert len(await list_untold(room.database, "slack:", EVERYWHERE)) == 1
    await rule(room, "confirm", by="operator:ann")
    assert await list_untold(room.database, "slack:", EVERYWHERE) == []


async def test_a_notice_stays_in_the_workspace_of_its_source(room: Room, due_folder: Path) -> None:
    await room.look(await room.add(due_folder, workspace="slack:T2"))
    assert await list_untold(room.database, "slack:", EVERYWHERE) == []
    assert len(await list_untold(room.database, "slack:", ["*", "slack:T2"])) == 1


async def test_a_source_that_is_due_makes_one_notice_and_not_one_for_each_document(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    await set_on(
        room, source, Terms(owner="slack:U2", review_by=datetime(2020, 1, 1, tzinfo=UTC)), "owner", "review_by"
    )
    [untold] = await list_untold(room.database, "slack:", EVERYWHERE)
    notice = await read_notice(room.database, untold.id)
    assert notice is not None
    assert (notice.document_id, notice.state, notice.owner) == (None, "source", "slack:U2")
    assert all(standing.is_due for standing in await list_standings(room.database, source.id))
    for _ in range(2):
        await rule_on_source(room.database, room.settings, "docs", "confirm", by="slack:U2")
    assert not any(standing.is_due for standing in await list_standings(room.database, source.id))
    actions = [entry.action for entry in await list_entries(room.database, 99) if entry.actor == "slack:U2"]
    assert actions == ["confirm source"]


async def test_still_valid_moves_the_review_on_and_lasts_when_the_document_is_read_again(
    room: Room, due_folder: Path
) -> None:
    source = await room.add(due_folder)
    await room.look(source)
    await rule(room, "confirm")
    [leave] = [one for one in await list_standings(room.database, source.id) if one.path == "leave.md"]
    assert leave.review_by is not None
    assert timedelta(days=89) < leave.review_by - datetime.now(UTC) < timedelta(days=91)
    assert await list_untold(room.database, "slack:", EVERYWHERE) == []
    text = (due_folder / "leave.md").read_text()
    (due_folder / "leave.md").write_text(f"{text}\nAnd one day more.\n")
    await room.look(source)
    [again] = [one for one in await list_standings(room.database, source.id) if one.path == "leave.md"]
    assert again.review_by == leave.review_by
    await room.fetch(
        "UPDATE documents SET confirmed_until = now() - interval '1 h' WHERE path = 'leave.md' RETURNING id"
    )
    assert len(await list_untold(room.database, "slack:", EVERYWHERE)) == 1


async def test_a_document_whose_date_is_its_sources_can_be_confirmed_alone(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    await set_on(room, source, Terms(review_by=datetime(2020, 1, 1, tzinfo=UTC)), "review_by")
    await rule(room, "confirm")
    assert {one.path: one.is_due for one in await list_standings(room.database, source.id)} == {
        "leave.md": False,
        "people/travel.md": True,
        "printers.txt": True,
    }
    assert await rule_on_source(room.database, room.settings, "docs", "confirm", by="ann")
    assert not await rule_on_source(room.database, room.settings, "docs", "confirm", by="ann")
    assert not any(one.is_due for one in await list_standings(room.database, source.id))


async def test_what_is_retired_is_out_at_once_and_stays_out_until_it_is_restored(room: Room, due_folder: Path) -> None:
    source = await room.add(due_folder)
    await room.look(source)
    for _ in range(2):
        await rule(room, "retire")
    assert "leave.md" not in await room.texts()
    (due_folder / "leave.md").write_text("# Leave\n\nSomething else about vacation.\n")
    assert (await room.look(source)).documents == DocumentCounts(unchanged=3)
    (due_folder / "leave.md").unlink()
    assert (await room.look(source)).documents == DocumentCounts(unchanged=3)
    (due_folder / "leave.md").write_text("# Leave\n\nIt came back with vacation.\n")
    assert (await room.look(source)).documents == DocumentCounts(unchanged=3)
    assert "leave.md" not in await room.texts()
    await room.fetch("UPDATE sources SET added_at = '2001-01-01' RETURNING id")
    os.utime(due_folder / "leave.md", (1_000_000_000, 1_000_000_000))
    await rule(room, "restore")
    await room.drain()
    assert "leave.md" in await room.texts()
    [leave] = [one for one in await list_standings(room.database, source.id) if one.path == "leave.md"]
    assert leave.lag_s is not None
    assert leave.lag_s < 600, "it was not late while it was kept out"
    await room.check_counts()
    actions = [entry.action for entry in await list_entries(room.database, 99) if entry.subject == "docs: leave.md"]
    assert actions == ["restore document", "retire document"]


async def test_a_job_that_is_at_work_does_not_bring_a_retired_document_back(
    room: Room, due_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(due_folder)
    await room.look(source)
    (due_folder / "leave.md").write_text("# Leave\n\nNew text.\n")
    look = await enqueue_look(room.database, room.settings, source, requested_by="ann")
    assert await run_next_job(room.database, room.model, room.settings, worker="test")
    real = room.model.embed

    async def retire_meanwhile(*arguments: object, **options: object) -> object:
        await rule(room, "retire")
        return await real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(room.model, "embed", retire_meanwhile)
    await room.drain()
    monkeypatch.undo()
    await room.drain()
    assert "leave.md" not in await room.texts()
    assert (await read_look(room.database, look)).state == "done"
    assert not await is_work_due(room.database)
    await room.check_counts()


async def test_to_look_again_reads_a_document_whatever_its_stamp_says(room: Room, due_folder: Path) -> None:
    source = await room.add(due_folder)
    await room.look(source)
    await room.fetch("UPDATE documents SET content_hash = 'other' WHERE path = 'leave.md' RETURNING id")
    await rule(room, "reindex")
    await room.drain()
    [row] = await room.fetch("SELECT content_hash <> 'other' AS read FROM documents WHERE path = 'leave.md'")
    assert row["read"]


async def test_what_is_gone_cannot_be_ruled_on(room: Room, due_folder: Path) -> None:
    await room.look(await room.add(due_folder))
    assert not await rule_on_document(room.database, room.settings, 10**9, "retire", by="ann")
    assert await read_notice(room.database, 10**9) is None
    with pytest.raises(SourceError, match="no document nothing"):
        await find_document(room.database, "docs", "nothing.md")
