from dataclasses import replace
from pathlib import Path

import pytest

from index.analyser import AVERAGE_TERMS, K1, B, count_terms, weigh_query
from index.audience import Viewer
from index.search import MAX_QUERY
from tandem.errors import ModelUnavailable
from tandem.models.client import ModelClient
from tests.index.conftest import Room


async def test_the_passage_that_answers_comes_first(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    for query, text in [
        ("How long may a mother stay at home with her baby?", "twelve weeks"),
        ("HERON", "HERON"),
        ("Whom do I tell when I am ill?", "supervisor"),
    ]:
        assert text in (await room.search(query)).hits[0].text


async def test_a_hit_says_where_it_is_from_and_how_it_was_scored(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    result = await room.search("parental leave after a birth")
    [best, *rest] = result.hits
    assert (best.source, best.title, best.heading) == ("docs", "Leave", "Parental leave")
    assert best.uri == f"file://{folder}/leave.md"
    assert best.position == 1
    assert best.changed_at is not None
    assert best.changed_at < best.indexed_at
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    highest = max(hit.lexical for hit in result.hits)
    for hit in result.hits:
        assert 0 <= hit.score <= 1
        assert 0 <= hit.coverage <= 1
        assert hit.score == pytest.approx(0.8 * (1 + hit.dense) / 2 + 0.2 * hit.lexical / highest, abs=1e-5)
    assert best.coverage > max(hit.coverage for hit in rest)
    assert result.index_version


async def test_bm25_in_the_row_is_bm25(room: Room, folder: Path) -> None:
    """Against the textbook formula, over what was embedded and analysed."""
    await room.look(await room.add(folder))
    query = "twelve weeks vacation printer"
    result = await room.search(query)
    bags = {hit.chunk_id: count_terms(f"{hit.title} {hit.heading} {hit.text}") for hit in result.hits}
    assert len(bags) == 5
    found = {term: sum(term in bag for bag in bags.values()) for term in count_terms(query)}
    idf = weigh_query(found, found, len(bags))
    for hit in result.hits:
        bag = bags[hit.chunk_id]
        norm = K1 * (1 - B + B * bag.total() / AVERAGE_TERMS)
        expected = sum(idf[term] * bag[term] * (K1 + 1) / (bag[term] + norm) for term in found)
        assert hit.lexical == pytest.approx(expected, rel=1e-4)


async def test_what_no_document_says_is_known_to_be_unknown(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    assert (await room.search("vacation days")).known_share == 1
    unknown = await room.search("xylophone quasar")
    assert unknown.known_share == 0
    assert {hit.lexical for hit in unknown.hits} == {0.0}
    assert 0 < (await room.search("vacation xylophone")).known_share < 1


@pytest.mark.parametrize("query", ["", "   ", "???", "\U0001f642", "\x00"])
async def test_a_query_without_a_word_finds_nothing(room: Room, folder: Path, query: str) -> None:
    await room.look(await room.add(folder))
    assert (await room.search(query)).hits == ()


async def test_an_empty_index_finds_nothing(room: Room) -> None:
    assert (await room.search("vacation")).hits == ()


async def test_a_query_of_any_length_is_searched_by_its_beginning(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    long = await room.search("How many days of vacation? " + "really " * 5000)
    assert long.hits
    assert long.hits == (await room.search(("How many days of vacation? " + "really " * 5000)[:MAX_QUERY])).hits


async def test_k_bounds_the_hits(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    assert len((await room.search("leave", k=2)).hits) == 2
    assert len((await room.search("leave", k=500)).hits) == 5
    assert (await room.search("leave", k=0)).hits == ()


async def test_other_audiences_and_workspaces_find_nothing(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder, audience="hr", workspace="discord:7"))
    assert (await room.search("vacation", Viewer("discord:7", frozenset({"hr", "it"})))).hits
    for viewer in (Viewer("discord:7"), Viewer("discord:8", frozenset({"hr"})), Viewer("", frozenset({"hr"}))):
        assert (await room.search("vacation", viewer)).hits == ()


async def test_without_a_model_server_the_error_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.models.client.PATIENCE_S", 0.1)
    settings = room.settings.model_copy(update={"model_url": "http://127.0.0.1:9"})
    async with ModelClient.open(settings) as nobody:
        with pytest.raises(ModelUnavailable):
            await replace(room, model=nobody).search("vacation")
