"""The swap: a document's old chunks give way to its new ones, in the caller's transaction."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
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
    place = await (await connection.execute(QUERIES["read_place"], {"document_id": document_id})).fetchone()
    added = [{"version_id": version_id, "terms": chunk.terms, **place} for chunk in new] if place else []
    await _count_terms(connection, gone, added)
    return SwapCounts(len(new), len(kept), len(gone))


async def drop_source_chunks(connection: Connection, source_id: int) -> None:
    """Deletes all chunks of a source's documents."""
    cursor = await connection.execute(QUERIES["delete_source_chunks"], {"source_id": source_id})
    await _count_terms(connection, await cursor.fetchall(), [])


async def _count_terms(connection: Connection, gone: Sequence[DictRow], added: Sequence[Mapping[str, Any]]) -> None:
    """Each row names its `version_id`, `workspace` and `audience`, and its `terms`."""
    terms: Counter[tuple[int, str, str, int]] = Counter()
    chunks: Counter[tuple[int, str, str]] = Counter()
    for row in gone:
        place = row["version_id"], row["workspace"], row["audience"]
        chunks[place] -= 1
        terms.subtract((*place, term) for term in row["terms"].indices())
    for new in added:
        place = new["version_id"], new["workspace"], new["audience"]
        chunks[place] += 1
        terms.update((*place, term) for term in new["terms"])
    changed = sorted(key for key, change in terms.items() if change)
    columns = [list(column) for column in zip(*changed, strict=True)] or [[], [], [], []]
    parameters = dict(zip(("versions", "workspaces", "audiences", "terms"), columns, strict=True))
    await connection.execute(QUERIES["count_terms"], parameters | {"changes": [terms[key] for key in changed]})
    for version, workspace, audience in sorted(chunks):
        place = version, workspace, audience
        counted = {"version_id": version, "workspace": workspace, "audience": audience, "change": chunks[place]}
        await connection.execute(QUERIES["count_chunks"], counted)


def _place(indexed: IndexedChunk) -> dict[str, object]:
    return {"position": indexed.chunk.position, "heading": indexed.chunk.heading, "text": indexed.chunk.text}


def _row(indexed: IndexedChunk) -> dict[str, object]:
    return _place(indexed) | {
        "hash": indexed.hash,
        "embedding": HalfVector(indexed.embedding),
        "terms": SparseVector(dict(indexed.terms), DIMENSIONS),
    }
