"""The swap: a document's old chunks give way to its new ones, in the caller's transaction."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector, SparseVector
from psycopg.rows import DictRow

from index.analyser import DIMENSIONS
from index.chunks import Chunk
from tandem.db.pool import Connection
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "swap.sql")
Key = TypeVar("Key", bound=Hashable)


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
    changes = _swap_changes(gone, version_id, len(new))
    documents = await _swap_terms(connection, document_id, version_id, terms or {}, keep_other_versions)
    for version, change in sorted(changes.items()):
        parameters = {"document_id": document_id, "version_id": version, "change": change}
        await connection.execute(QUERIES["count_chunks"], parameters)
    await _count_documents(connection, documents)
    return SwapCounts(len(new), len(kept), len(gone))


async def drop_source_chunks(connection: Connection, source_id: int) -> None:
    """Deletes all chunks of a source's documents."""
    rows = await (await connection.execute(QUERIES["delete_source_terms"], {"source_id": source_id})).fetchall()
    await _count_terms(
        connection, _negated((row["version_id"], term) for row in rows for term in row["terms"].indices())
    )
    await connection.execute(QUERIES["delete_source_chunks"], {"source_id": source_id})
    await _count_documents(connection, _negated(row["version_id"] for row in rows))


async def _swap_terms(
    connection: Connection,
    document_id: int,
    version_id: int | None,
    terms: Mapping[int, float],
    keep_other_versions: bool,
) -> Counter[int]:
    """Returns by how many the documents of each version changed."""
    cursor = await connection.execute(QUERIES["read_document_terms"], {"document_id": document_id})
    old = {row["version_id"]: row["terms"].indices() for row in await cursor.fetchall()}
    gone = [] if keep_other_versions else [version for version in old if version != version_id]
    replaced = [*gone, version_id] if version_id in old else gone
    changes = _negated((version, term) for version in replaced for term in old[version])
    documents = _negated(gone)
    await connection.execute(QUERIES["delete_document_terms"], {"document_id": document_id, "version_ids": gone})
    if version_id is not None:
        changes.update((version_id, term) for term in terms)
        documents[version_id] += version_id not in old
        parameters = {"document_id": document_id, "version_id": version_id, "terms": _vector(terms)}
        await connection.execute(QUERIES["set_document_terms"], parameters)
    await _count_terms(connection, changes)
    return documents


async def _count_terms(connection: Connection, changes: Mapping[tuple[int, int], int]) -> None:
    changed = sorted(key for key, change in changes.items() if change)
    await connection.execute(
        QUERIES["count_terms"],
        {
            "versions": [version for version, _ in changed],
            "terms": [term for _, term in changed],
            "changes": [changes[key] for key in changed],
        },
    )


async def _count_documents(connection: Connection, changes: Mapping[int, int]) -> None:
    for version, change in sorted(changes.items()):
        await connection.execute(QUERIES["count_documents"], {"version_id": version, "change": change})


def _swap_changes(gone: Sequence[DictRow], version_id: int | None, new: int) -> Counter[int]:
    changes = _negated(row["version_id"] for row in gone)
    if version_id is not None:
        changes[version_id] += new
    return changes


def _negated(keys: Iterable[Key]) -> Counter[Key]:
    counts: Counter[Key] = Counter()
    counts.subtract(keys)
    return counts


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
