import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.audience import Viewer
from index.sources import Terms, list_statuses, set_terms
from index.standing import find_standings, list_failures, list_standings, read_gauges
from tests.index.conftest import ANYONE, Room

DAY = timedelta(days=1)


async def set_on(room: Room, name: str, **terms: object) -> None:
    await set_terms(
        room.database,
        room.settings,
        name,
        Terms(**terms),  # type: ignore[arg-type]
        terms.keys(),
        set_by="ann",
    )


async def test_a_document_says_when_it_changed_was_noticed_and_could_be_found(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    [first, *_] = await list_standings(room.database, source.id)
    assert first.changed_at is not None
    assert first.noticed_at is not None
    assert first.searchable_at is not None
    assert first.changed_at < first.noticed_at < first.searchable_at
    assert first.lag_s is not None
    assert 0 < first.lag_s < (first.searchable_at - first.changed_at).total_seconds(), "no older than its source"
    (folder / "leave.md").write_text("# Leave\n\nForty days.\n")
    await room.look(source)
    [second, *_] = await list_standings(room.database, source.id)
    assert second.changed_at is not None
    assert second.searchable_at is not None
    assert second.lag_s == pytest.approx((second.searchable_at - second.changed_at).total_seconds(), abs=1e-3)
    assert second.revision != first.revision


async def test_an_old_file_is_not_late_for_its_age_and_a_new_pipeline_makes_nothing_fresher(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await room.add(folder)
    await room.look(source)
    before = await list_standings(room.database, source.id)
    monkeypatch.setattr("index.versions.CHUNKER", "markdown-next")
    await room.look(source)
    after = await list_standings(room.database, source.id)
    assert [(d.searchable_at, d.lag_s) for d in after] == [(d.searchable_at, d.lag_s) for d in before]
    await room.fetch("UPDATE documents SET arose_at = '2001-01-01' RETURNING id")
    [status] = await list_statuses(room.database)
    assert status.lag_p50_s is not None
    assert status.lag_p95_s is not None
    assert 0 < status.lag_p50_s <= status.lag_p95_s < 600


async def test_a_file_that_is_moved_here_with_its_old_time_is_not_late_for_that(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    month_ago = datetime.now(UTC) - 30 * DAY
    await room.fetch("UPDATE sources SET added_at = %(then)s RETURNING id", then=month_ago - DAY)
    for name in ("leave.md", "new.md"):  # as `cp -p` and rsync do
        (folder / name).write_text(f"# {name}\n\nForty days.\n")
        os.utime(folder / name, (month_ago.timestamp(), month_ago.timestamp()))
    await room.look(source)
    moved = {document.path: document for document in await list_standings(room.database, source.id)}
    for name in ("leave.md", "new.md"):
        assert moved[name].changed_at == month_ago
        lag = moved[name].lag_s
        assert lag is not None
        assert lag < 60


async def test_lags_are_told_by_their_percentiles(room: Room, folder: Path) -> None:
    source = await room.add(folder)
    await room.look(source)
    for path, lag in (("leave.md", 1), ("people/travel.md", 3), ("printers.txt", 103)):
        await room.fetch(
            "UPDATE documents SET arose_at = searchable_at - make_interval(secs => %(lag)s)"
            " WHERE path = %(path)s RETURNING id",
            path=path,
            lag=lag,
        )
    await room.fetch("UPDATE sources SET added_at = '2001-01-01' RETURNING id")
    [status] = await list_statuses(room.database)
    assert [status.lag_p50_s, status.lag_p95_s] == pytest.approx([3, 93])
    [gauges] = await read_gauges(room.database)
    assert (gauges.source_id, gauges.indexed, gauges.open_jobs) == (source.id, 3, 0)
    assert [gauges.lag_p50_s, gauges.lag_p95_s] == pytest.approx([3, 93])


async def test_what_the_source_says_holds_where_the_document_says_nothing(room: Room, folder: Path) -> None:
    (folder / "own.md").write_text(
        "---\nowner: slack:U9\nlicence: MIT\nreview_by: 2020-01-01\n---\n# Own\n\nText here.\n"
    )
    source = await room.add(folder)
    await room.look(source)
    await set_on(room, "docs", owner="slack:U1", licence="CC0-1.0", review_by=datetime(2120, 1, 1, tzinfo=UTC))
    standings = {standing.path: standing for standing in await list_standings(room.database, source.id)}
    own, other = standings["own.md"], standings["leave.md"]
    assert (own.owner, own.licence, own.is_due) == ("slack:U9", "MIT", True)
    assert (other.owner, other.licence, other.is_due) == ("slack:U1", "CC0-1.0", False)
    [status] = await list_statuses(room.database)
    assert (status.owner, status.licence, status.due) == ("slack:U1", "CC0-1.0", 1)
    await set_on(room, "docs", owner=None)
    assert (await list_statuses(room.database))[0].owner is None


async def test_what_expires_by_its_source_is_not_found_from_then_on_and_again_when_it_is_taken_back(
    room: Room, folder: Path
) -> None:
    (folder / "soon.md").write_text("---\nexpires_at: 2020-01-01\n---\nVacation vouchers expire.\n")
    source = await room.add(folder)
    await room.look(source)
    ids = [standing.id for standing in await list_standings(room.database, source.id)]
    assert len((await room.search("vacation")).hits) == 5
    await set_on(room, "docs", expires_at=datetime.now(UTC) - DAY)
    assert not (await room.search("vacation")).hits
    assert await find_standings(room.database, ANYONE, ids) == {}
    (folder / "late.md").write_text("# Late\n\nThis vacation page came after the end.\n")
    await room.look(source)
    assert not (await room.search("vacation")).hits
    await set_on(room, "docs", expires_at=datetime.now(UTC) + DAY)
    assert len((await room.search("vacation")).hits) == 6
    assert "vouchers" not in " ".join(hit.text for hit in (await room.search("vacation")).hits)
    await set_on(room, "docs", expires_at=None)
    assert len(await find_standings(room.database, ANYONE, ids)) == 3


async def test_failures_name_each_document_and_source_with_its_reason(room: Room, folder: Path, tmp_path: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"junk")
    await room.look(await room.add(folder))
    gone = tmp_path / "gone"
    gone.mkdir()
    source = await room.add(gone, "gone")
    gone.rmdir()
    await room.look(source)
    document, whole = await list_failures(room.database)
    assert (document.source, document.path) == ("docs", "broken.pdf")
    assert document.reason.startswith("It cannot be opened")
    assert document.failed_at is not None
    assert (whole.source, whole.path) == ("gone", "")
    assert "no folder" in whole.reason
    assert await list_failures(room.database, "gone") == [whole]
    await room.fetch(
        "UPDATE jobs SET state = 'failed', error = 'It did not answer.' WHERE path = 'leave.md' RETURNING id"
    )
    unreachable = await list_failures(room.database, "docs")
    assert [(one.path, one.reason) for one in unreachable][1:] == [("leave.md", "It did not answer.")]


async def test_a_viewer_learns_of_no_document_or_failure_of_another_audience(room: Room, folder: Path) -> None:
    (folder / "people" / "broken.pdf").write_bytes(b"junk")
    secret = await room.add(folder / "people", "secret", audience="hr")
    await room.look(secret)
    ids = [standing.id for standing in await list_standings(room.database, secret.id)]
    hr, staff, nobody = Viewer("T1", frozenset({"hr"})), Viewer("T1"), Viewer("")
    [status] = await list_statuses(room.database, hr)
    assert status.failures[0].startswith("broken.pdf")
    assert len(await find_standings(room.database, hr, ids)) == 1
    for viewer in (staff, nobody):
        assert await list_statuses(room.database, viewer) == []
        assert await find_standings(room.database, viewer, ids) == {}


@pytest.mark.parametrize("table", ["audit_trail", "review_notices", "jobs"])
async def test_what_is_for_operators_alone_no_viewer_reads(room: Room, table: str) -> None:
    [row] = await room.fetch("SELECT has_table_privilege('tandem_reader', %(table)s, 'SELECT') AS reads", table=table)
    assert not row["reads"]
