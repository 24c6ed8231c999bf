import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pgvector import HalfVector

from index.analyser import OF_CHUNK, OF_DOCUMENT, count_terms, weigh_query, weigh_terms
from index.audience import Viewer
from index.search import FEEDBACK, MAX_QUERY, SHARED, choose_shared, search
from index.vector_index import keep_vector_index
from tandem.errors import ModelUnavailable
from tandem.models.client import ModelClient
from tests.index.conftest import ANYONE, Room


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
    assert all(0 <= hit.score <= 1 and 0 <= hit.coverage <= 1 for hit in result.hits)
    assert best.coverage > max(hit.coverage for hit in rest)
    assert result.index_version


async def test_scores_are_the_combination_moved_towards_the_best_passages(room: Room, folder: Path) -> None:
    """Against the formula, from the vectors themselves."""
    await room.look(await room.add(folder))
    query = "parental leave after a birth"
    result = await room.search(query)
    rows = await room.fetch("SELECT id, embedding FROM chunks")
    vectors = {row["id"]: row["embedding"].to_numpy().astype(np.float32) for row in rows}
    [question] = await room.model.embed([query])
    highest = max(hit.lexical for hit in result.hits)
    words = {hit.chunk_id: 0.15 * hit.lexical / highest for hit in result.hits}
    first = {hit.chunk_id: words[hit.chunk_id] + 0.85 * (1 + hit.dense) / 2 for hit in result.hits}
    best: dict[int, int] = {}
    for hit in sorted(result.hits, key=lambda hit: -first[hit.chunk_id]):
        best.setdefault(hit.document_id, hit.chunk_id)
    one, other = list(best.values())[:FEEDBACK]
    moved = 0.7 * question + 0.3 * (vectors[one] + vectors[other]) / 2
    moved /= np.linalg.norm(moved)
    for hit in result.hits:
        assert hit.dense == pytest.approx(float(question @ vectors[hit.chunk_id]), abs=2e-3)
        cosine = float(moved @ vectors[hit.chunk_id])
        assert hit.score == pytest.approx(words[hit.chunk_id] + 0.85 * (1 + cosine) / 2, abs=2e-3)


async def test_bm25_is_that_of_the_passage_and_of_its_document(room: Room, folder: Path) -> None:
    """Against the textbook formula, over what was embedded and analysed."""
    await room.look(await room.add(folder))
    query = "twelve weeks vacation printer"
    result = await room.search(query)
    assert len(result.hits) == 5
    texts = {
        (folder / path).as_uri(): f"{title}\n{(folder / path).read_text().split('---')[-1]}"
        for path, title in [("leave.md", "Leave"), ("people/travel.md", "Travel"), ("printers.txt", "printers")]
    }
    documents = {uri: count_terms(text) for uri, text in texts.items()}
    passages = {hit.chunk_id: count_terms(f"{hit.title} {hit.heading} {hit.text}") for hit in result.hits}
    terms = count_terms(query)
    rarity = []
    for bags in (passages, documents):
        found = {term: sum(term in bag for bag in bags.values()) for term in terms}
        rarity.append(weigh_query(terms, found, len(bags)))
    for hit in result.hits:
        passage = weigh_terms(passages[hit.chunk_id], OF_CHUNK)
        document = weigh_terms(documents[hit.uri], OF_DOCUMENT)
        expected = sum(
            rarity[0][term] * passage.get(term, 0) + rarity[1][term] * document.get(term, 0) for term in terms
        )
        assert hit.lexical == pytest.approx(expected, rel=1e-4)


async def test_one_side_alone_is_asked_without_feedback(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    for weights, figure in (((1.0, 0.0), "dense"), ((0.0, 1.0), "lexical")):
        result = await search(room.database, room.model, "vacation days of parents", ANYONE, weights=weights)
        figures = [getattr(hit, figure) for hit in result.hits]
        assert figures == sorted(figures, reverse=True)


async def test_a_query_of_words_that_say_nothing_is_searched_by_meaning(room: Room, folder: Path) -> None:
    await room.look(await room.add(folder))
    result = await room.search("What is it that we do?")
    assert len(result.hits) == 5
    assert {hit.lexical for hit in result.hits} == {0.0}
    assert result.known_share == 0


def test_the_rarest_terms_find_the_candidates_until_they_are_many() -> None:
    frequencies = {1: 9 * SHARED, 2: 3, 3: SHARED // 2, 4: SHARED // 2}
    assert choose_shared(frequencies) == [2, 3]
    assert choose_shared({1: 9 * SHARED}) == [1]
    assert choose_shared({3: SHARED // 2, 4: SHARED // 2}) == [3, 4]
    assert choose_shared({}) == []


async def test_a_large_index_is_asked_instead_of_comparing_every_chunk(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same passages, by way of the indexes; and the exact scan leaves them alone."""
    await room.look(await room.add(folder))
    exact = await room.search("parental leave after a birth")
    await keep_vector_index(room.database, exact_up_to=0)
    assert await room.search("parental leave after a birth") == exact
    monkeypatch.setattr("index.search.EXACT_UP_TO", 1)
    assert await room.search("parental leave after a birth") == exact


async def test_the_index_goes_on_until_it_has_passages_that_the_viewer_may_see(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand passages of others are nearer."""
    await room.look(await room.add(folder))
    question = "xylophone quasar"
    [vector] = await room.model.embed([question])
    near = vector + 0.02 * np.random.default_rng(0).normal(size=(2000, 384))
    async with room.database.connection() as connection, connection.cursor() as many:
        await many.executemany(
            b"INSERT INTO chunks (document_id, version_id, position, heading, text, hash, embedding, terms, workspace,"
            b" audience) SELECT document_id, version_id, 1000 + %(n)s, heading, text, hash, %(vector)s, terms,"
            b" workspace, 'others' FROM (SELECT * FROM chunks ORDER BY id LIMIT 1) c",
            [{"n": n, "vector": HalfVector(one / np.linalg.norm(one))} for n, one in enumerate(near)],
        )
    await keep_vector_index(room.database, exact_up_to=0)
    exact = await room.search(question)
    monkeypatch.setattr("index.search.EXACT_UP_TO", 1)
    monkeypatch.setattr("index.search.EXACT_OF_A_PART", 1)
    assert len(exact.hits) == 5
    assert await room.search(question) == exact


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


async def test_a_question_that_waits_for_its_vector_keeps_no_connection(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model server that is busy, or away, is no reason for others to wait for the database."""
    await room.look(await room.add(folder))
    monkeypatch.setattr("index.search.HELD_S", 0.01)
    asked, goes_on, embed = asyncio.Event(), asyncio.Event(), room.model.embed

    async def embed_later(texts: list[str]) -> NDArray[np.float32]:
        asked.set()
        await goes_on.wait()
        return await embed(texts)

    monkeypatch.setattr(room.model, "embed", embed_later)
    searching = asyncio.create_task(room.search("vacation days"))
    await asked.wait()
    await asyncio.sleep(0.2)
    assert room.database.pool.get_stats()["pool_available"] == room.database.pool.get_stats()["pool_size"]
    goes_on.set()
    assert (await searching).hits[0].title == "Leave"


async def test_a_search_that_is_given_up_asks_no_longer_for_its_vector(
    room: Room, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = asyncio.Event()

    async def embed(texts: list[str]) -> NDArray[np.float32]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    monkeypatch.setattr(room.model, "embed", embed)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(room.search("vacation days"), 0.3)
    assert ended.is_set()


async def test_without_a_model_server_the_error_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.models.client.PATIENCE_S", 0.1)
    settings = room.settings.model_copy(update={"model_url": "http://127.0.0.1:9"})
    async with ModelClient.open(settings) as nobody:
        with pytest.raises(ModelUnavailable):
            await replace(room, model=nobody).search("vacation")
