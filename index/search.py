"""Hybrid search: dense and BM25 candidates, exact scores for all of them, a convex combination, in one statement."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector, SparseVector
from psycopg.rows import DictRow

from index.analyser import DIMENSIONS, count_terms, weigh_query
from index.audience import Viewer
from index.reader import read_as
from tandem.db.pool import Database
from tandem.db.queries import load_queries
from tandem.models.client import ModelClient

QUERIES = load_queries("index", "search.sql")
CANDIDATES = 100
MAX_QUERY = 2_000
"""Characters; what comes after is not searched for. The embedder reads about half of it."""


@dataclass(frozen=True)
class Hit:
    """One passage. `score` is the combination, 0 to 1; `dense` the cosine; `lexical` the raw BM25.

    `coverage` (0 to 1) is the share of the query's IDF weight whose terms this passage has.
    """

    chunk_id: int
    document_id: int
    source: str
    title: str
    heading: str
    uri: str
    text: str
    position: int
    score: float
    dense: float
    lexical: float
    coverage: float
    changed_at: datetime | None
    indexed_at: datetime


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first. `known_share` (0 to 1) is the share of the query's IDF weight whose terms are in the index."""

    hits: tuple[Hit, ...]
    index_version: str
    known_share: float


async def search(
    database: Database,
    model: ModelClient,
    query: str,
    viewer: Viewer,
    k: int = 10,
    *,
    weights: tuple[float, float] | None = None,
) -> SearchResult:
    """Returns the k best passages that the viewer may see; none for a query without a word, or an empty index.

    Scores are 0.8 * (1 + cosine) / 2 + 0.2 * BM25 / (the highest BM25 among the candidates): a convex combination of
    exact scores (Bruch et al., 2023). `weights`, dense and lexical, take the place of the index version's 0.8 and 0.2:
    at 0 for one side, the k are the other side's best. Raises ModelUnavailable, ModelBusy or DatabaseUnavailable.
    """
    text = query[:MAX_QUERY]
    terms = count_terms(text)
    if not terms or k < 1:
        return SearchResult((), "none", 0.0)
    [embedding] = await model.embed([text])
    async with read_as(database, viewer) as connection:
        version = await (await connection.execute(QUERIES["read_version"], {"terms": list(terms)})).fetchone()
        if version is None:
            return SearchResult((), "none", 0.0)
        frequencies = dict(zip(version["terms"], version["found"], strict=True))
        term_weights = weigh_query(terms, frequencies, version["chunks"])
        parameters = _parameters(version, embedding, term_weights, frequencies, k)
        if weights is not None:
            parameters |= {"dense_weight": weights[0], "lexical_weight": weights[1]}
        rows = await (await connection.execute(QUERIES["search"], parameters)).fetchall()
    total = sum(term_weights.values())
    known = sum(weight for term, weight in term_weights.items() if frequencies.get(term))
    return SearchResult(tuple(_hit(row, term_weights, total) for row in rows), str(version["id"]), known / total)


def _parameters(
    version: DictRow, embedding: NDArray[np.float32], weights: Mapping[int, float], known: Container[int], k: int
) -> dict[str, object]:
    asked = {term: weight for term, weight in weights.items() if term in known}
    return {
        "version_id": version["id"],
        "embedding": HalfVector(embedding),
        "terms": SparseVector(asked, DIMENSIONS),
        "has_terms": bool(asked),
        "dense_weight": version["pipeline"]["weights"]["dense"],
        "lexical_weight": version["pipeline"]["weights"]["lexical"],
        "candidates": max(CANDIDATES, k),
        "k": k,
    }


def _hit(row: DictRow, weights: Mapping[int, float], total: float) -> Hit:
    matched = sum(weights.get(term, 0.0) for term in row["terms"].indices())
    return Hit(
        chunk_id=row["id"],
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        heading=row["heading"],
        uri=row["uri"],
        text=row["text"],
        position=row["position"],
        score=row["score"],
        dense=row["cosine"],
        lexical=row["bm25"],
        coverage=matched / total,
        changed_at=row["changed_at"],
        indexed_at=row["indexed_at"],
    )
