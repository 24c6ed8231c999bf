"""Hybrid search: dense and BM25 candidates, exact scores for all of them, combined, with feedback from the best.

One statement, so that a reader sees a document as it was or as it is.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector, SparseVector
from psycopg.rows import DictRow

from index.analyser import ANALYSER, DIMENSIONS, count_terms, split_words, weigh_query
from index.audience import Viewer
from index.duplicates import fold_duplicates
from index.filters import Filters
from index.neighbours import join_neighbours
from index.reader import read_as
from index.versions import VersionError
from tandem.cancelling import end_tasks
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries
from tandem.models.client import ModelClient

QUERIES = load_queries("index", "search.sql")
CANDIDATES = 100
FEEDBACK = 2
"""Documents whose best passages the question's vector is moved towards."""
EXACT_UP_TO = 2_000
"""Chunks: up to so many are all compared with the question, beyond the index is asked."""
EXACT_OF_A_PART = 20_000
"""The same, where filters leave a part of them, or the viewer may see less than half: the index passes over the others
one by one, and finds less of what lies far from the question."""
WIDE_BEYOND = 500_000
"""Chunks: beyond so many the index looks at three times as many at once as there are candidates, else at twice."""
SHARED = 5_000
"""How many chunks may hold the terms by which lexical candidates are found: the rarest terms come first."""
EVERYTHING = Filters()
HELD_S = 0.1
"""How long a connection is kept for a question that is still being embedded: a model server that is busy, or away, must
take none from others."""
NOWHERE = np.eye(1, 384, dtype=np.float32)[0]  # a question's vector where its own would mean nothing
MAX_QUERY = 2_000
"""Characters; what comes after is not searched for. The embedder reads about half of it."""


@dataclass(frozen=True)
class Hit:
    """One passage. `score` is the combination, 0 to 1; `dense` the cosine; `lexical` the raw BM25.

    `coverage` (0 to 1) is the share of the query's IDF weight whose terms this passage has. `before` and `after` are
    what stands around its text under the same headings.
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
    before: str = ""
    after: str = ""

    @property
    def in_context(self) -> str:
        """The text with what stands around it: what is read, and quoted from. An exact span of the document."""
        return f"{self.before}{self.text}{self.after}"


@dataclass(frozen=True)
class SearchResult:
    """Hits, best first. `known_share` (0 to 1) is the share of the query's IDF weight whose terms are in the index.

    `embedding` is the query's vector (384,), None where none was made.
    """

    hits: tuple[Hit, ...]
    index_version: str
    known_share: float
    embedding: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


async def search(
    database: Database,
    model: ModelClient,
    query: str,
    viewer: Viewer,
    k: int = 10,
    *,
    filters: Filters = EVERYTHING,
    weights: tuple[float, float] | None = None,
) -> SearchResult:
    """Returns the k best passages that the viewer may see; none for a query without a word, or an empty index.

    A score is 0.85 * (1 + cosine) / 2 + 0.15 * BM25 / (the highest BM25 among the candidates): a convex combination of
    exact scores (Bruch et al., 2023). BM25 is the passage's among passages and its document's among documents, added.
    The cosine is to the question moved towards the best passages of the two best documents (Rocchio, 1971), 0.7 of the
    one and 0.3 of the others. `weights`, dense and lexical, take the place of the version's 0.85 and 0.15, without
    feedback: at 0 for one side, the k are the other side's best. A version that another analyser or embedder made is
    searched by its other side alone. Of passages that say the same, one is returned.
    Raises ModelUnavailable, ModelBusy, DatabaseUnavailable, or VersionError where neither side can be searched.
    """
    text = query[:MAX_QUERY]
    if not split_words(text) or k < 1:
        return SearchResult((), "none", 0.0)
    terms = count_terms(text)
    embedding = asyncio.create_task(_embed(model, text))
    try:
        while True:
            async with read_as(database, viewer) as connection:
                version = await (await connection.execute(QUERIES["read_version"], {"terms": list(terms)})).fetchone()
                await asyncio.wait({embedding}, timeout=HELD_S)
                if embedding.done():
                    return await _search(connection, version, terms, embedding.result(), k, filters, weights)
            await asyncio.wait({embedding})
    finally:
        await end_tasks(embedding)


@dataclass(frozen=True)
class _Embedded:
    """The question's vector, and the name of what made it."""

    vector: NDArray[np.float32]
    embedder: str


async def _embed(model: ModelClient, text: str) -> _Embedded:
    [vector] = await model.embed([text])
    return _Embedded(vector, (await model.describe()).embedding_model)


async def _search(
    connection: Connection,
    version: DictRow | None,
    terms: Counter[int],
    question: _Embedded,
    k: int,
    filters: Filters,
    weights: tuple[float, float] | None,
) -> SearchResult:
    if version is None:
        return SearchResult((), "none", 0.0, question.vector)
    sides = _find_sides(version, question.embedder)
    vector = question.vector if sides.meaning else NOWHERE
    terms = terms if sides.words else Counter()
    found = dict(zip(version["terms"], version["chunks_with"], strict=True)) if sides.words else {}
    term_weights = weigh_query(terms, found, version["chunks"])
    in_documents = dict(zip(version["terms"], version["documents_with"], strict=True))
    document_weights = weigh_query(found, in_documents, version["documents"])
    known = {term: term_weights[term] for term in found}
    left = await _narrow(connection, version, filters)
    candidates = max(CANDIDATES, k)
    parameters = {
        "version_id": version["id"],
        "embedding": HalfVector(vector),
        "terms": SparseVector(known, DIMENSIONS),
        "document_terms": SparseVector(document_weights, DIMENSIONS),
        "shared": choose_shared(found, int(SHARED / left.share)),
        "documents": left.documents,
        "approximate": left.chunks > (EXACT_OF_A_PART if filters or not version["is_most"] else EXACT_UP_TO),
        "breadth": candidates * (3 if version["chunks"] > WIDE_BEYOND else 2),
        "candidates": candidates,
        **_weights(version["pipeline"]["weights"], vector, weights if sides.meaning else (0.0, 1.0)),
    }
    for fetched in (2 * k, 2 * candidates):  # more where most of them say the same
        cursor = await connection.execute(QUERIES["search"], parameters | {"fetched": fetched})
        rows = await cursor.fetchall()
        best = fold_duplicates(rows if sides.meaning else _keep_worded(rows), k)
        if len(best) == k or len(rows) < fetched:
            break
    around = await join_neighbours(connection, version["id"], best)
    total = sum(term_weights.values())
    hits = tuple(_hit(row, term_weights, total, *around[row["id"]]) for row in best)
    return SearchResult(hits, str(version["id"]), sum(known.values()) / total if total else 0.0, question.vector)


@dataclass(frozen=True)
class _Sides:
    """Whether the version's passages were analysed, and embedded, as questions are now."""

    words: bool
    meaning: bool


def _find_sides(version: DictRow, embedder: str) -> _Sides:
    pipeline = version["pipeline"]
    sides = _Sides(pipeline["analyser"] == ANALYSER, pipeline["embedder"] == embedder)
    if not (sides.words or sides.meaning):
        raise VersionError(
            f"Index version {version['id']} was analysed by {pipeline['analyser']} and embedded by"
            f" {pipeline['embedder']}; questions are by {ANALYSER} and {embedder}.",
            remedy="`tandem reindex` builds one that can be searched; if this one is held, then `tandem index switch`.",
        )
    return sides


@dataclass(frozen=True)
class _Left:
    """What the filters leave: documents by id (None: all), how many chunks those have, and their share of all."""

    documents: list[int] | None
    chunks: int
    share: float


async def _narrow(connection: Connection, version: DictRow, filters: Filters) -> _Left:
    if not filters:
        return _Left(None, version["chunks"], 1.0)
    parameters = {
        "version_id": version["id"],
        "sources": sorted(filters.sources),
        "languages": sorted(filters.languages),
        "since": filters.since,
        "enough": EXACT_OF_A_PART + 1,
    }
    [row] = await (await connection.execute(QUERIES["find_documents"], parameters)).fetchall()
    return _Left(row["documents"], row["chunks"], max(1, len(row["documents"])) / max(1, version["documents"]))


def _keep_worded(rows: Sequence[DictRow]) -> list[DictRow]:
    """Those that share a word with the question, where their cosine means nothing."""
    return [row | {"cosine": 0.0} for row in rows if row["bm25"] > 0]


def choose_shared(frequencies: Mapping[int, int], limit: int = SHARED) -> list[int]:
    """The rarest terms, as long as `limit` chunks at most hold them; at least one. Given how many chunks hold each.

    What shares none of them shares only common terms, and is not among the best (as in MaxScore: Turtle & Flood, 1995).
    """
    chosen: list[int] = []
    holding = 0
    for term in sorted(frequencies, key=lambda term: frequencies[term]):
        holding += frequencies[term]
        if chosen and holding > limit:
            break
        chosen.append(term)
    return chosen


def _weights(
    pipeline: Mapping[str, float], embedding: NDArray[np.float32], own: tuple[float, float] | None
) -> dict[str, object]:
    share = pipeline.get("feedback", 0.0) if own is None else 0.0
    dense, lexical = own or (pipeline["dense"], pipeline["lexical"])
    # The passages' vectors are added up, so it is the question's that carries the weight; cosine knows no length.
    scaled = embedding * (FEEDBACK * (1 - share) / share) if share else embedding
    return {
        "dense_weight": dense,
        "lexical_weight": lexical,
        "feedback": FEEDBACK if share else 0,
        "scaled": HalfVector(scaled),
    }


def _hit(row: DictRow, weights: Mapping[int, float], total: float, before: str, after: str) -> Hit:
    matched = sum(weights.get(term, 0.0) for term in row["term_ids"])
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
        coverage=matched / total if total else 0.0,
        changed_at=row["changed_at"],
        indexed_at=row["indexed_at"],
        before=before,
        after=after,
    )
