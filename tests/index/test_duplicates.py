"""Passages that say the same are one hit, the better or the newer; what differs in what matters stays two."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from index.duplicates import AS_GOOD, fold_duplicates
from tests.index.conftest import Room

LEAVE = (
    "Everybody who works here has thirty days of paid annual leave, and asks the team lead for it at least two weeks"
    " ahead. What is left at the end of the year may be taken until the end of March, and then it is gone for good."
)


def make_row(text: str, score: float = 0.8, year: int = 2024, **changes: Any) -> dict[str, Any]:
    changed_at = datetime(year, 1, 1, tzinfo=UTC)
    row = {"title": "Leave", "heading": "", "text": text, "score": score, "changed_at": changed_at}
    return row | {"indexed_at": changed_at} | changes


def fold(*rows: dict[str, Any], k: int = 10) -> list[dict[str, Any]]:
    return fold_duplicates(rows, k)


@pytest.mark.parametrize(
    "other",
    [
        make_row(LEAVE),
        make_row(f"## Annual leave\n\n**{LEAVE.upper()}**"),
        make_row(LEAVE, title="Leave, again"),
        make_row(LEAVE.replace("for good", "")),
    ],
)
def test_copies_under_other_marks_titles_and_with_hardly_another_word_are_one(other: dict[str, Any]) -> None:
    best = make_row(LEAVE, 0.9)
    printers = make_row("Printers are on the third floor.")
    assert fold(best, printers, other) == [best, printers]


@pytest.mark.parametrize(
    "other",
    [
        make_row(LEAVE.replace("paid", "paid 30")),
        make_row(LEAVE.replace("may be", "may not be")),
        make_row(LEAVE.replace("annual", "sick").replace("March", "May").replace("team lead", "personnel office")),
        make_row("Closed on Mondays.", title="Canteen"),
    ],
)
def test_another_number_a_not_or_another_subject_make_a_difference(other: dict[str, Any]) -> None:
    rows = [make_row(LEAVE), make_row("Closed on Mondays.", title="Library"), other]
    assert fold(*rows) == rows


def test_the_newer_of_two_as_good_is_kept_in_the_place_of_the_better() -> None:
    best, newer = make_row(LEAVE, 0.9, 2020), make_row(LEAVE, 0.9 - AS_GOOD / 2, 2023)
    assert fold(best, newer) == [newer | {"score": 0.9}]
    assert fold(best, newer | {"score": 0.9 - 2 * AS_GOOD}) == [best]
    assert fold(newer, best | {"score": 0.89}) == [newer]


def test_k_different_passages_are_kept_where_there_are_so_many() -> None:
    rows = [make_row(LEAVE), make_row(LEAVE), make_row("The printer."), make_row("The canteen."), make_row("The gym.")]
    assert fold(*rows, k=3) == [rows[0], rows[2], rows[3]]


async def test_many_copies_of_the_best_passage_crowd_out_no_other(room: Room, tmp_path: Path) -> None:
    for place in range(40):
        (tmp_path / f"copy{place}.md").write_text("# Leave\n\nEverybody has thirty days of vacation a year.")
    for place in range(6):
        (tmp_path / f"other{place}.md").write_text(f"Vacation is booked in system {place}.")
    await room.look(await room.add(tmp_path))
    hits = (await room.search("How many days of vacation does everybody have a year?", k=5)).hits
    assert len(hits) == 5
    assert "Everybody has thirty days" in hits[0].text
    assert len({hit.text for hit in hits}) == 5


async def test_a_page_that_stands_in_two_places_is_found_once(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("leave.md", "copy.md"):
        (folder / name).write_text(f"# Leave\n\n{LEAVE}\n")
    (folder / "sick.md").write_text("# Sick leave\n\nCall your supervisor by nine.\n")
    await room.look(await room.add(folder))
    await room.fetch("UPDATE documents SET changed_at = '2030-01-01Z' WHERE path = 'copy.md' RETURNING id")
    hits = (await room.search("How many days of leave?", k=2)).hits
    assert [hit.uri.rpartition("/")[2] for hit in hits] == ["copy.md", "sick.md"]
