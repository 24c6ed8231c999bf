"""A collection goes through the whole pipeline, each side is ranked alone, and the figures are what was found."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from index.analyser import count_terms, weigh_query
from index.search import search
from tandem.errors import SourceError
from tandem.evals import retrieval
from tandem.evals.collection import Collection, Document
from tandem.evals.retrieval import bench_retrieval, rank_documents
from tandem.evals.workbench import VIEWER, Workbench, open_workbench
from tandem.settings import Settings

TEXTS = {
    "ferry/1": ("Ferries", "The boat to the island leaves at noon from the old harbour."),
    "train": ("Trains", "The night train to Vienna has a dining car."),
    "tram": ("", "Tram 11 stops at the market every six minutes."),
    "kite": ("Kites", "A kite needs wind, a string and an open field."),
    "empty": ("", ""),
}
LONG = "\n\n".join(f"# Part {n}\n\nThe lighthouse keeper writes page {n} of the log about fog." for n in range(30))
GRADES = {"q1": {"ferry/1": 1, "kite": 0}, "q2": {"train": 2, "tram": 1}}
QUERIES = {"q1": "When does the boat to the island leave?", "q2": "night train Vienna", "q3": "never judged"}


@pytest.fixture
def collection() -> Collection:
    documents = [Document(_id=name, title=title, text=text) for name, (title, text) in TEXTS.items()]
    documents.append(Document(_id="log", title="Log", text=LONG))
    return Collection(tuple(documents), QUERIES, GRADES)


@pytest.fixture
async def bench(model_settings: Settings) -> AsyncIterator[Workbench]:
    async with open_workbench(model_settings) as opened:
        yield opened


async def test_the_whole_pipeline_is_measured(bench: Workbench, collection: Collection) -> None:
    told: set[str] = set()
    measured = await bench_retrieval(bench, collection, lambda text, *_: told.add(text))
    assert told >= {"Timing", "Ranking"}
    assert (measured.failed, len(measured.milliseconds)) == (1, 2)
    assert re.search("4.md: It holds no text", measured.failures[0])
    described = json.loads(json.dumps(measured.describe()))
    assert list(described) == [
        "queries", "documents", "chunks", "ndcg@10", "recall@100", "mrr@10", "latency_ms", "index",
    ]  # fmt: skip
    assert (described["queries"], described["documents"], described["chunks"]) == (2, 6, 34)
    assert described["mrr@10"] == {"lexical": 1.0, "dense": 1.0, "hybrid": 1.0}
    # Not one word of the second query is in the tram's text: BM25 does not find it.
    assert described["recall@100"] == {"lexical": 0.75, "dense": 1.0, "hybrid": 1.0}
    best = 2 + 1 / np.log2(3)
    assert described["ndcg@10"]["lexical"] == pytest.approx((1 + 2 / best) / 2, abs=1e-4)
    assert 0 < described["latency_ms"]["p50"] <= described["latency_ms"]["p95"]
    assert described["index"]["chunks_per_s"] > 0
    assert described["index"]["bytes_per_chunk"] > 384 * 2


async def test_sides_are_ranked_alone_and_to_the_depth(
    bench: Workbench, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench_retrieval(bench, collection)
    # Thirty passages of one document come first: more are asked for until there are four documents.
    monkeypatch.setattr(retrieval, "DEPTH", 4)
    query = "The lighthouse keeper writes a page of the log about fog to the train"
    [vector] = await bench.model.embed([query])
    rows = await bench.database.fetch_all(
        b"SELECT d.path, c.embedding, c.terms, t.terms AS document_terms"
        b" FROM chunks c JOIN documents d ON d.id = c.document_id JOIN document_terms t ON t.document_id = d.id"
    )
    frequencies = await bench.database.fetch_all(b"SELECT term, documents FROM term_frequencies")
    weights = weigh_query(
        count_terms(query), {row["term"]: row["documents"] for row in frequencies}, len({row["path"] for row in rows})
    )
    scores: dict[str, dict[str, float]] = {"dense": {}, "lexical": {}}
    for row in rows:
        name = collection.documents[int(Path(row["path"]).stem)].id
        terms = [
            entry
            for part in (row["terms"], row["document_terms"])
            for entry in zip(part.indices(), part.values(), strict=True)
        ]
        own = {
            "dense": float(row["embedding"].to_numpy().astype(np.float32) @ vector),
            "lexical": sum(weights.get(term, 0.0) * value for term, value in terms),
        }
        for side, score in own.items():
            scores[side][name] = max(score, scores[side].get(name, -1.0))
    for side, best in scores.items():
        wanted = sorted((name for name in best if side == "dense" or best[name] > 0), key=lambda name: -best[name])
        assert await rank_documents(bench, collection, query, side) == wanted[:4]
    assert (await rank_documents(bench, collection, query, "hybrid"))[0] == "log"
    assert len(await rank_documents(bench, collection, query, "hybrid")) == 4


async def test_search_s_own_weights_are_left_alone(bench: Workbench, collection: Collection) -> None:
    await bench_retrieval(bench, collection)
    for hit in (await search(bench.database, bench.model, "train", VIEWER, weights=(1.0, 0.0))).hits:
        assert hit.score == pytest.approx((1 + hit.dense) / 2)
    [first, *_] = (await search(bench.database, bench.model, "train", VIEWER)).hits
    assert first.score > 0.85 * (1 + first.dense) / 2


async def test_a_collection_without_text_is_refused(bench: Workbench) -> None:
    nothing = Collection((Document(_id="a", text=" "),), {"q": "x"}, {"q": {"a": 1}})
    with pytest.raises(SourceError, match=r"No document .* could be indexed: 0\.md: It holds no text"):
        await bench_retrieval(bench, nothing)
