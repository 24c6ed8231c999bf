"""Filters narrow what is found to sources, languages and times, and lose nothing of what is left."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from index.filters import FilterError, Filters, read_filters
from index.search import choose_shared, search
from index.vector_index import keep_vector_index
from tandem.errors import SourceError
from tests.index.conftest import ANYONE, Room

QUERY = "On which day are badges made?"
PAGES = {
    "house": {
        "badges.md": "# Badges\n\nNew badges are made every Wednesday, at the front desk. Bring a photo with you.\n",
        "ausweise.md": "# Ausweise\n\nNeue Ausweise werden jeden Mittwoch gemacht. Bitte bringen Sie ein Foto mit.\n",
    },
    "annex": {"badges.md": "# Badges\n\nIn the annex, new badges are made every Friday. Ask the porter for yours.\n"},
}


@pytest.fixture
async def filled(room: Room, tmp_path: Path) -> Room:
    for name, pages in PAGES.items():
        (tmp_path / name).mkdir()
        for page, text in pages.items():
            (tmp_path / name / page).write_text(text)
        await room.look(await room.add(tmp_path / name, name))
    await room.fetch("UPDATE documents SET arose_at = '2023-07-01Z' WHERE path = 'badges.md' RETURNING id")
    await room.fetch("UPDATE documents SET arose_at = '2024-05-02Z' WHERE path = 'ausweise.md' RETURNING id")
    return room


async def find(room: Room, filters: Filters) -> set[str]:
    result = await search(room.database, room.model, QUERY, ANYONE, filters=filters)
    return {f"{hit.source}/{hit.uri.rpartition('/')[2]}" for hit in result.hits}


HOUSE, ANNEX, GERMAN = "house/badges.md", "annex/badges.md", "house/ausweise.md"


async def test_only_what_passes_all_filters_is_found(filled: Room) -> None:
    for filters, left in (
        (Filters(), {HOUSE, ANNEX, GERMAN}),
        (Filters(sources=frozenset({"annex"})), {ANNEX}),
        (Filters(sources=frozenset({"annex", "house"})), {HOUSE, ANNEX, GERMAN}),
        (Filters(languages=frozenset({"de"})), {GERMAN}),
        (Filters(languages=frozenset({"en"})), {HOUSE, ANNEX}),
        (Filters(languages=frozenset({"fr"})), set()),
        (Filters(since=datetime(2024, 5, 2, tzinfo=UTC)), {GERMAN}),
        (Filters(since=datetime(2024, 5, 3, tzinfo=UTC)), set()),
        (Filters(frozenset({"annex"}), frozenset({"de"})), set()),
    ):
        assert await find(filled, filters) == left


async def test_what_is_unknown_of_a_document_passes_no_filter_on_it(filled: Room) -> None:
    await filled.fetch(
        "UPDATE documents SET language = NULL, arose_at = NULL, changed_at = NULL"
        " WHERE path = 'ausweise.md' RETURNING id"
    )
    assert GERMAN in await find(filled, Filters())
    assert GERMAN not in await find(filled, Filters(languages=frozenset({"de", "en"})))
    assert GERMAN not in await find(filled, Filters(since=datetime(1990, 1, 1, tzinfo=UTC)))


async def test_counts_stay_those_of_the_audience_so_a_filter_changes_no_score(filled: Room) -> None:
    whole = await search(filled.database, filled.model, QUERY, ANYONE, weights=(0.0, 1.0))
    narrow = await search(
        filled.database, filled.model, QUERY, ANYONE, weights=(0.0, 1.0), filters=Filters(frozenset({"annex"}))
    )
    assert [hit.lexical for hit in narrow.hits] == [hit.lexical for hit in whole.hits if hit.source == "annex"]
    assert narrow.known_share == whole.known_share


async def test_a_large_index_is_asked_under_filters_too(filled: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    filters = Filters(languages=frozenset({"en"}))
    exact = await find(filled, filters)
    await keep_vector_index(filled.database, exact_up_to=0)
    monkeypatch.setattr("index.search.EXACT_OF_A_PART", 0)
    assert await find(filled, filters) == exact == {HOUSE, ANNEX}


def test_under_a_filter_as_many_more_chunks_may_share_a_term_as_it_leaves_fewer() -> None:
    assert choose_shared({1: 9_000, 2: 4_000}) == [2]
    assert choose_shared({1: 9_000, 2: 4_000}, 20_000) == [2, 1]


async def test_what_a_person_wrote_is_read(filled: Room) -> None:
    read = await read_filters(filled.database, ANYONE, sources=["HOUSE"], languages=["DE"], since="2024-05")
    assert read == Filters(frozenset({"house"}), frozenset({"de"}), datetime(2024, 5, 1, tzinfo=UTC))
    for written, since in {
        "2024": datetime(2024, 1, 1, tzinfo=UTC),
        "2024-05-17": datetime(2024, 5, 17, tzinfo=UTC),
        "2024-05-17T10:00+00:00": datetime(2024, 5, 17, 10, tzinfo=UTC),
    }.items():
        assert (await read_filters(filled.database, ANYONE, sources=[], languages=[], since=written)).since == since


async def test_what_cannot_be_read_is_refused_with_an_example(room: Room) -> None:
    for language in ("german", "xx", ""):
        with pytest.raises(FilterError, match="such as `de`"):
            await read_filters(room.database, ANYONE, sources=[], languages=[language], since=None)
    for since in ("yesterday", "05-2024", "2024-13", "20240517", "2024-02-30"):
        with pytest.raises(FilterError, match="one is `2024`"):
            await read_filters(room.database, ANYONE, sources=[], languages=[], since=since)


async def test_a_source_that_is_not_there_is_refused_with_those_that_are(filled: Room) -> None:
    with pytest.raises(SourceError, match=r"no source `cellar` here. The ones I know are `annex`, `house`"):
        await read_filters(filled.database, ANYONE, sources=["cellar"], languages=[], since=None)
