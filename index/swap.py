"""The swap: a document's old chunks give way to its new ones, in the caller's transaction."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector, SparseVector
from psycopg.rows import DictRow

from index.analyser import DIMENSIONS
from index.chunks import Chunk
from tandem.db.pool import Connection
from tandem.db.queries import load_queries

QUERIES = load_queries("index", "swap.sql")


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
    *,
    expires_at: datetime | None = None,
    keep_other_versions: bool = False,
) -> SwapCounts:
    """Makes these the document's only chunks. Rows whose hash is unchanged stay, with their id.

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
    await _count_terms(connection, version_id, gone, new)
    return SwapCounts(len(new), len(kept), len(gone))


async def drop_source_chunks(connection: Connection, source_id: int) -> None:
    """Deletes all chunks of a source's documents."""
    cursor = await connection.execute(QUERIES["delete_source_chunks"], {"source_id": source_id})
    await _count_terms(connection, None, await cursor.fetchall(), [])


async def _count_terms(
    connection: Connection, version_id: int | None, gone: Sequence[DictRow], new: Sequence[IndexedChunk]
) -> None:
    terms: Counter[tuple[int, int]] = Counter()
    chunks: Counter[int] = Counter()
    for row in gone:
        chunks[row["version_id"]] -= 1
        terms.subtract((row["version_id"], term) for term in row["terms"].indices())
    if version_id is not None:
        chunks[version_id] += len(new)
        for chunk in new:
            terms.update((version_id, term) for term in chunk.terms)
    changed = sorted(key for key, change in terms.items() if change)
    await connection.execute(
        QUERIES["count_terms"],
        {
            "versions": [version for version, _ in changed],
            "terms": [term for _, term in changed],
            "changes": [terms[key] for key in changed],
        },
    )
    for version in sorted(chunks):
        await connection.execute(QUERIES["count_chunks"], {"version_id": version, "change": chunks[version]})


def _place(indexed: IndexedChunk) -> dict[str, object]:
    return {"position": indexed.chunk.position, "heading": indexed.chunk.heading, "text": indexed.chunk.text}


def _row(indexed: IndexedChunk) -> dict[str, object]:
    return _place(indexed) | {
        "hash": indexed.hash,
        "embedding": HalfVector(indexed.embedding),
        "terms": SparseVector(dict(indexed.terms), DIMENSIONS),
    }
