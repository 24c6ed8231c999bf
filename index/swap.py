"""The swap: a document's old chunks give way to its new ones, in the caller's transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector, SparseVector
from psycopg.rows import DictRow

from index.analyser import DIMENSIONS
from index.chunks import Chunk
from tandem.db.pool import Connection
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "swap.sql")
Place = tuple[int, str, str]
Term = tuple[int, str, str, int]


@dataclass(frozen=True)
class IndexedChunk:
    """A chunk with all that its row needs. `hash` is of what was embedded; `terms` are BM25's weights by dimension."""

    chunk: Chunk
    hash: bytes
    embedding: NDArray[np.float32]
    terms: Mapping[int, float]


@dataclass(frozen=True)
class SwapCounts:
    inserted: int
    kept: int
    removed: int


async def swap_chunks(
    connection: Connection,
    document_id: int,
    version_id: int | None,
    chunks: Sequence[IndexedChunk],
    terms: Mapping[int, float] | None = None,
    *,
    expires_at: datetime | None = None,
    keep_other_versions: bool = False,
    standing_in: int | None = None,
) -> SwapCounts:
    """Makes these the document's only chunks, and `terms` what BM25 weighs of it. Rows whose hash is unchanged stay,
    with their id.

    Call it with the document's row locked. Chunks of other index versions go too, since what they say is no longer
    true, unless the document is the same and only its pipeline is new. In the version `standing_in`, which is searched
    while this one is being built, the new chunks stand in for those that its own pipeline would have made.
    """
    cursor = await connection.execute(QUERIES["read_chunks"], {"document_id": document_id})
    old: dict[bytes, list[DictRow]] = defaultdict(list)
    gone: list[DictRow] = []
    for row in await cursor.fetchall():
        if row["version_id"] != version_id:
            gone += [] if keep_other_versions else [row]
        elif row["stands_in"]:
            gone.append(row)  # another pipeline made it
        else:
            old[row["hash"]].append(row)
    kept, new = [], []
    for chunk in chunks:
        if rows := old[chunk.hash]:
            kept.append({"id": rows.pop()["id"], **_place(chunk), "expires_at": expires_at})
        else:
            new.append(chunk)
    gone += [row for rows in old.values() for row in rows]
    if gone:
        await connection.execute(QUERIES["delete_chunks"], {"ids": [row["id"] for row in gone]})
    if kept:
        async with connection.cursor() as many:
            await many.executemany(QUERIES["move_chunk"], kept)
    changes = _Changes()
    for row in gone:
        changes.count_chunk(row, row["term_ids"], -1)
    cursor = await connection.execute(QUERIES["read_document_terms"], {"document_id": document_id})
    before = [row for row in await cursor.fetchall() if row["version_id"] == version_id or not keep_other_versions]
    for row in before:
        changes.count_document(row, row["terms"].indices(), -1)
    if before:
        parameters = {"document_id": document_id, "versions": [row["version_id"] for row in before]}
        await connection.execute(QUERIES["delete_document_terms"], parameters)
    if version_id is not None:
        place: dict[str, object] = {"document_id": document_id, "expires_at": expires_at}
        await _add(connection, changes, place | {"version_id": version_id, "stands_in": False}, new, terms or {})
        if standing_in is not None:
            other = place | {"version_id": standing_in, "stands_in": True}
            await _add(connection, changes, other, chunks, terms or {})
    await changes.write(connection)
    return SwapCounts(len(new), len(kept), len(gone))


async def _add(
    connection: Connection,
    changes: "_Changes",
    place: dict[str, object],
    chunks: Sequence[IndexedChunk],
    terms: Mapping[int, float],
) -> None:
    """Adds chunks to one version of a document, which has no terms there."""
    if chunks:
        async with connection.cursor() as many:
            await many.executemany(QUERIES["insert_chunk"], [_row(chunk) | place for chunk in chunks])
    cursor = await connection.execute(QUERIES["add_document_terms"], {**place, "terms": _vector(terms)})
    for row in await cursor.fetchall():
        changes.count_document(row, terms, 1)
        for chunk in chunks:
            changes.count_chunk(row, chunk.terms, 1)


async def drop_source_chunks(connection: Connection, source_id: int) -> None:
    """Deletes all chunks of a source's documents."""
    changes = _Changes()
    cursor = await connection.execute(QUERIES["delete_source_terms"], {"source_id": source_id})
    for row in await cursor.fetchall():
        changes.count_document(row, row["terms"].indices(), -1)
    cursor = await connection.execute(QUERIES["delete_source_chunks"], {"source_id": source_id})
    for row in await cursor.fetchall():
        changes.count_chunk(row, row["term_ids"], -1)
    await changes.write(connection)


class _Changes:
    """By how much a swap changes what is counted, by version and by who may see it."""

    def __init__(self) -> None:
        self._documents: Counter[Place] = Counter()
        self._chunks: Counter[Place] = Counter()
        self._documents_with: Counter[Term] = Counter()
        self._chunks_with: Counter[Term] = Counter()

    def count_document(self, row: Mapping[str, Any], terms: Iterable[int], change: int) -> None:
        place = _place_of(row)
        self._documents[place] += change
        for term in terms:
            self._documents_with[*place, term] += change

    def count_chunk(self, row: Mapping[str, Any], terms: Iterable[int], change: int) -> None:
        place = _place_of(row)
        self._chunks[place] += change
        for term in terms:
            self._chunks_with[*place, term] += change

    async def write(self, connection: Connection) -> None:
        documents, chunks = self._documents_with, self._chunks_with
        changed = sorted(key for key in documents.keys() | chunks.keys() if documents[key] or chunks[key])
        columns = [list(column) for column in zip(*changed, strict=True)] or [[], [], [], []]
        columns += [[documents[key] for key in changed], [chunks[key] for key in changed]]
        names = ("versions", "workspaces", "audiences", "terms", "documents", "chunks")
        await connection.execute(QUERIES["count_terms"], dict(zip(names, columns, strict=True)))
        for place in sorted(self._documents.keys() | self._chunks.keys()):
            size = {"documents": self._documents[place], "chunks": self._chunks[place]}
            if any(size.values()):
                named = dict(zip(("version_id", "workspace", "audience"), place, strict=True))
                await connection.execute(QUERIES["count_size"], named | size)


def _place_of(row: Mapping[str, Any]) -> Place:
    return row["version_id"], row["workspace"], row["audience"]


def _place(indexed: IndexedChunk) -> dict[str, object]:
    return {"position": indexed.chunk.position, "heading": indexed.chunk.heading, "text": indexed.chunk.text}


def _row(indexed: IndexedChunk) -> dict[str, object]:
    return _place(indexed) | {
        "hash": indexed.hash,
        "embedding": HalfVector(indexed.embedding),
        "terms": _vector(indexed.terms),
        "term_ids": sorted(indexed.terms),
    }


def _vector(terms: Mapping[int, float]) -> SparseVector:
    return SparseVector(dict(terms), DIMENSIONS)
