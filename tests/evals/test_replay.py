"""A history goes through the whole pipeline step by step, and what the index has wrong is counted."""

import json
from collections.abc import AsyncIterator

import pytest

from tandem.evals.history import Commit
from tandem.evals.replay import bench_replay, choose_commits
from tandem.evals.rows import DataError
from tandem.evals.truth import Difference, Folder, compare, read_searchable
from tandem.evals.workbench import Workbench, open_workbench
from tandem.settings import Settings

SECTIONS = [f"## Part {n}\n\nParagraph {n} says what part {n} is about.\n\n" for n in range(4)]
PAGE = "# Page\n\nIt opens.\n\n" + "".join(SECTIONS)
HISTORY = [
    Commit("a1", {"page.md": PAGE, "old/gone.md": "# Gone\n\nSoon.\n", ".github/hidden.md": "# Hidden\n\nNever.\n"}),
    Commit("a2", {"page.md": PAGE.replace("Paragraph 2 says", "Paragraph 2 tells"), "blank.md": "\n"}),
    Commit("b1", {"old/gone.md": None, "new.md": "# New\n\nOnce.\n\n## Twice\n\nOnce.\n", "data.bin": "1,2\n"}),
    Commit(
        "b2", {"page.md": None, "moved/page.md": PAGE, "past.md": "---\nexpires_at: 2020-01-01\n---\n# Past\n\nOver.\n"}
    ),
]


@pytest.fixture
async def bench(model_settings: Settings) -> AsyncIterator[Workbench]:
    async with open_workbench(model_settings) as opened:
        yield opened


async def test_every_step_is_checked_and_measured(bench: Workbench) -> None:
    measured = await bench_replay(bench, HISTORY[:1], HISTORY[1:])
    described = json.loads(json.dumps(measured.describe()))
    assert not measured.difference
    assert described["passages"] == {"stale": 0, "missing": 0, "doubled": 0}
    assert described["wrong_after"] == []
    assert (described["commits"], described["from"], described["to"]) == (3, "a2", "b2")
    assert (described["first_look"]["documents"], described["first_look"]["chunks"]) == (2, 6)
    assert described["changed_documents"] == 1
    assert described["embedded_share"] == {"of_chunks": 0.2, "mean_of_documents": 0.2, "median_of_documents": 0.2}
    assert described["seconds_per_step"]["p95"] >= described["seconds_per_step"]["p50"] > 0
    assert len([lag for step in measured.steps for lag in step.lags_s]) == 4
    assert 0 < described["lag_s"]["p50"] < 60


async def test_a_replay_from_nothing_begins_with_an_empty_folder(bench: Workbench) -> None:
    measured = await bench_replay(bench, [], HISTORY)
    assert not measured.difference
    assert measured.describe()["first_look"]["documents"] == 0
    assert {passage.path for passage in await read_searchable(bench.database)} == {"moved/page.md", "new.md"}


async def test_a_replay_through_git_ends_at_the_same_and_reads_only_what_a_commit_changed(
    model_settings: Settings,
) -> None:
    async with open_workbench(model_settings, "git") as bench:
        measured = await bench_replay(bench, HISTORY[:1], HISTORY[1:])
        assert not measured.difference
        assert measured.describe()["embedded_share"]["of_chunks"] == 0.2
        assert {passage.path for passage in await read_searchable(bench.database)} == {"moved/page.md", "new.md"}


async def test_what_is_wrong_is_seen(bench: Workbench) -> None:
    """Each fault is put into the tables by hand."""
    await bench_replay(bench, [], HISTORY[:1])
    said = Folder(bench.folder).read()

    async def difference() -> Difference:
        return compare(said, await read_searchable(bench.database))

    assert await difference() == Difference()
    [row] = await bench.database.fetch_all(b"SELECT min(id) AS id FROM chunks")
    await bench.database.execute(b"UPDATE chunks SET text = text || '!' WHERE id = %(id)s", row)
    assert await difference() == Difference(stale=1, missing=1)
    await bench.database.execute(b"DELETE FROM chunks WHERE id = %(id)s", row)
    assert await difference() == Difference(missing=1)
    await bench.database.execute(b"UPDATE chunks SET audience = 'somebody'")
    assert await difference() == Difference(missing=len(said))
    await bench.database.execute(b"UPDATE chunks SET audience = 'everyone', hash = 'another title'")
    assert await difference() == Difference(stale=len(said) - 1, missing=len(said))
    assert compare(said, [*said, said[0]]) == Difference(doubled=1)
    assert compare([], said) == Difference(stale=len(said))
    assert Difference(1, 2, 3) + Difference(1, 0, 0) == Difference(2, 2, 3)
    assert not Difference()


async def test_a_fault_after_a_step_is_reported_with_its_commit(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that sees nothing, as of a source whose changes go unnoticed."""
    first = await bench.look()

    async def look(_: Workbench, on_progress: object = None) -> object:
        return first

    monkeypatch.setattr(Workbench, "look", look)
    measured = await bench_replay(bench, HISTORY[:1], HISTORY[1:2])
    assert measured.describe()["wrong_after"] == ["start", "a2"]
    assert measured.describe()["passages"]["missing"] == 12
    assert measured.difference


def test_the_steps_are_the_last_or_those_from_a_commit_on() -> None:
    def chosen(start: str | None, count: int) -> tuple[list[str], list[str]]:
        before, steps = choose_commits(HISTORY, start, count)
        return [commit.id for commit in before], [commit.id for commit in steps]

    assert chosen(None, 1) == (["a1", "a2", "b1"], ["b2"])
    assert chosen(None, 9) == chosen(None, 0) == chosen("a1", 0) == ([], ["a1", "a2", "b1", "b2"])
    assert chosen("a2", 2) == (["a1"], ["a2", "b1"])
    assert chosen("b1", 0) == (["a1", "a2"], ["b1", "b2"])
    for start, found in (("a", 2), ("c", 0)):
        with pytest.raises(DataError, match=f"{found} commits begin with {start}"):
            choose_commits(HISTORY, start, 1)
