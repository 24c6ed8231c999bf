"""Retrieval on a collection in BEIR form, through the whole pipeline, without any model answering.

Each document becomes a Markdown file. A document's place is that of its best passage.
"""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from index.search import Hit, search
from tandem.db.queries import load_queries
from tandem.errors import SourceError
from tandem.evals.collection import Collection
from tandem.evals.ranking import ndcg, recall, reciprocal_rank
from tandem.evals.workbench import VIEWER, OnProgress, Workbench

QUERIES = load_queries("tandem.evals", "retrieval.sql")
DEPTH = 100
"""Documents of a ranking, as far as the index has so many."""
SIDES: Mapping[str, tuple[float, float] | None] = {"lexical": (0.0, 1.0), "dense": (1.0, 0.0), "hybrid": None}
"""The weights that search is asked with; None for the index version's own."""
ANSWER_K = 10
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class RetrievalRun:
    """`documents` in the collection; `failures` of those that could not be indexed, "file: reason", the first 20.

    `indexing_s`: from the request for a look to its end. Figures of `ndcg`, `recall` and `mrr` are means over the
    queries, by side; `milliseconds` one a query, of the search that an answer makes.
    """

    queries: int
    documents: int
    failed: int
    failures: tuple[str, ...]
    chunks: int
    ndcg: Mapping[str, float]
    recall: Mapping[str, float]
    mrr: Mapping[str, float]
    milliseconds: tuple[float, ...]
    indexing_s: float
    chunk_bytes: int

    def describe(self) -> dict[str, Any]:
        """The contract of `tandem bench retrieval --json`."""
        p50, p95 = np.percentile(self.milliseconds, [50, 95]).tolist()
        return {
            "queries": self.queries,
            "documents": self.documents,
            "chunks": self.chunks,
            f"ndcg@{ANSWER_K}": _rounded(self.ndcg),
            f"recall@{DEPTH}": _rounded(self.recall),
            f"mrr@{ANSWER_K}": _rounded(self.mrr),
            "latency_ms": {"p50": round(p50, 2), "p95": round(p95, 2)},
            "index": {
                "chunks_per_s": round(self.chunks / self.indexing_s, 1),
                "bytes_per_chunk": round(self.chunk_bytes / self.chunks),
            },
        }


async def bench_retrieval(
    bench: Workbench, collection: Collection, on_progress: OnProgress = lambda *_: None
) -> RetrievalRun:
    """Indexes the collection into the empty workbench, times each query, then ranks each side to DEPTH documents.

    Raises SourceError when nothing of it can be indexed, ModelUnavailable, ModelBusy or DatabaseUnavailable.
    """
    for number, document in enumerate(collection.documents):
        heading = f"# {' '.join(document.title.split())}\n\n" if document.title.strip() else ""
        (bench.folder / f"{number}.md").write_bytes(f"{heading}{document.text}\n".encode(errors="replace"))
    look = await bench.look(on_progress)
    [size] = await bench.database.fetch_all(QUERIES["read_size"])
    if not size["chunks"]:
        raise SourceError(
            f"No document of the collection could be indexed: {look.failures[0]}",
            remedy="Give its documents some text.",
        )
    milliseconds = []
    for done, query_id in enumerate(collection.grades):
        on_progress("Timing", done, len(collection.grades))
        began = time.perf_counter()
        await search(bench.database, bench.model, collection.queries[query_id], VIEWER, k=ANSWER_K)
        milliseconds.append(1000 * (time.perf_counter() - began))
    gains: Figures = {side: [] for side in SIDES}
    recalls: Figures = {side: [] for side in SIDES}
    ranks: Figures = {side: [] for side in SIDES}
    for done, (query_id, grades) in enumerate(collection.grades.items()):
        on_progress("Ranking", done, len(collection.grades))
        for side in SIDES:
            ranked = await rank_documents(bench, collection, collection.queries[query_id], side)
            gains[side].append(ndcg(ranked, grades, ANSWER_K))
            recalls[side].append(recall(ranked, grades, DEPTH))
            ranks[side].append(reciprocal_rank(ranked, grades, ANSWER_K))
    return RetrievalRun(
        queries=len(collection.grades),
        documents=len(collection.documents),
        failed=look.documents.failed,
        failures=look.failures,
        chunks=size["chunks"],
        ndcg=_means(gains),
        recall=_means(recalls),
        mrr=_means(ranks),
        milliseconds=tuple(milliseconds),
        indexing_s=look.seconds,
        chunk_bytes=size["bytes"],
    )


async def rank_documents(bench: Workbench, collection: Collection, query: str, side: str) -> list[str]:
    """The ids of the best DEPTH documents by their best passage: asks for more passages until they hold so many."""
    k = 2 * DEPTH
    while True:
        result = await search(bench.database, bench.model, query, VIEWER, k=k, weights=SIDES[side])
        found = [hit for hit in result.hits if side != "lexical" or hit.lexical > 0]
        ranked = list(dict.fromkeys(collection.documents[_number(hit)].id for hit in found))
        if len(ranked) >= DEPTH or len(found) < k:
            return ranked[:DEPTH]
        k *= 2


def _number(hit: Hit) -> int:
    return int(Path(urlsplit(hit.uri).path).stem)


def _means(figures: Figures) -> dict[str, float]:
    return {side: statistics.mean(values) for side, values in figures.items()}


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {side: round(value, 4) for side, value in figures.items()}
