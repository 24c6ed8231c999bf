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
) -> SwapCounts:
    """Makes these the document's only chunks, and `terms` what BM25 weighs of it. Rows whose hash is unchanged stay,
    with their id.

    Call it with the document's row locked. Chunks of other index versions go too, since what they say is no longer
    true, unless the document is the same and only its pipeline is new.
    """
    cursor = await connection.execute(QUERIES["read_chunks"], {"document_id": document_id})
    old: dict[bytes, list[DictRow]] = defaultdict(list)
    gone: list[DictRow] = []
    for row in await cursor.fetchall():
        if row["version_id"] == version_id:
            old[row["hash"]].append(row)
        elif not keep_other_versions:
            gone.append(row)
    kept, new = [], []
    for chunk in chunks:
        if rows := old[chunk.hash]:
            kept.append({"id": rows.pop()["id"], **_place(chunk), "expires_at": expires_at})
        else:
            new.append(chunk)
    gone += [row for rows in old.values() for row in rows]
    await connection.execute(QUERIES["delete_chunks"], {"ids": [row["id"] for row in gone]})
    async with connection.cursor() as many:
        if kept:
            await many.executemany(QUERIES["move_chunk"], kept)
        if new:
            common = {"document_id": document_id, "version_id": version_id, "expires_at": expires_at}
            await many.executemany(QUERIES["insert_chunk"], [_row(chunk) | common for chunk in new])
    place = await (await connection.execute(QUERIES["read_place"], {"document_id": document_id})).fetchone()
    changes = _Changes()
    changes.count_chunks(gone, -1)
    if version_id is not None and place is not None:
        changes.count_chunks([{"version_id": version_id, **place}] * len(new), 1)
        changes.count_terms({"version_id": version_id, **place}, terms or {}, 1)
    for row in await (
        await connection.execute(QUERIES["read_document_terms"], {"document_id": document_id})
    ).fetchall():
        if row["version_id"] == version_id or not keep_other_versions:
            changes.count_terms(row, row["terms"].indices(), -1)
    parameters = {"document_id": document_id, "version_id": version_id, "keep_others": keep_other_versions}
    await connection.execute(QUERIES["delete_document_terms"], parameters)
    if version_id is not None:
        await connection.execute(QUERIES["set_document_terms"], parameters | {"terms": _vector(terms or {})})
    await changes.write(connection)
    return SwapCounts(len(new), len(kept), len(gone))


async def drop_source_chunks(connection: Connection, source_id: int) -> None:
    """Deletes all chunks of a source's documents."""
    changes = _Changes()
    cursor = await connection.execute(QUERIES["delete_source_terms"], {"source_id": source_id})
    for row in await cursor.fetchall():
        changes.count_terms(row, row["terms"].indices(), -1)
    cursor = await connection.execute(QUERIES["delete_source_chunks"], {"source_id": source_id})
    changes.count_chunks(await cursor.fetchall(), -1)
    await changes.write(connection)


class _Changes:
    """By how much a swap changes what is counted, by version and by who may see it."""

    def __init__(self) -> None:
        self._terms: Counter[tuple[int, str, str, int]] = Counter()
        self._documents: Counter[Place] = Counter()
        self._chunks: Counter[Place] = Counter()

    def count_terms(self, row: Mapping[str, Any], terms: Iterable[int], change: int) -> None:
        place = _place_of(row)
        self._documents[place] += change
        for term in terms:
            self._terms[*place, term] += change

    def count_chunks(self, rows: Iterable[Mapping[str, Any]], change: int) -> None:
        for row in rows:
            self._chunks[_place_of(row)] += change

    async def write(self, connection: Connection) -> None:
        changed = sorted(key for key, change in self._terms.items() if change)
        columns = [list(column) for column in zip(*changed, strict=True)] or [[], [], [], []]
        parameters = dict(zip(("versions", "workspaces", "audiences", "terms"), columns, strict=True))
        await connection.execute(
            QUERIES["count_terms"], parameters | {"changes": [self._terms[key] for key in changed]}
        )
        for place in sorted(self._documents.keys() | self._chunks.keys()):
            documents, chunks = self._documents[place], self._chunks[place]
            if documents or chunks:
                named = dict(zip(("version_id", "workspace", "audience"), place, strict=True))
                await connection.execute(QUERIES["count_size"], named | {"documents": documents, "chunks": chunks})


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
