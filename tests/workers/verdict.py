"""The verdict on an index after a disorderly run: what it says, and whether its own counts add up."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import DictRow

from tandem.db.pool import Database
from tandem.evals.history import Commit
from tandem.evals.truth import Passage, cut_passages

CLOSE = 0.999
"""Cosine of two vectors of one text: bf16 rounds differently in other company."""


@dataclass(frozen=True)
class Snapshot:
    """All that a run leaves behind but for ids and times. `vectors` by the hash of what was embedded."""

    documents: tuple[DictRow, ...]
    chunks: tuple[tuple[object, ...], ...]
    vectors: Mapping[bytes, NDArray[np.float64]]

    def differs_from(self, other: "Snapshot") -> list[str]:
        """In words; empty when they are the same."""
        found = []
        if self.documents != other.documents:
            strange = [row for row in self.documents if row not in other.documents][:3]
            found.append(f"{len(self.documents)} and {len(other.documents)} documents, such as {strange}")
        if self.chunks != other.chunks:
            places = [chunk[:3] for chunk in set(self.chunks) ^ set(other.chunks)][:3]
            found.append(f"{len(self.chunks)} and {len(other.chunks)} passages, such as {places}")
        for key in self.vectors.keys() & other.vectors.keys():
            if float(self.vectors[key] @ other.vectors[key]) < CLOSE:
                found.append(f"another vector for {key.hex()}")
        return found


async def take_snapshot(database: Database) -> Snapshot:
    """Of a document that cannot be read, only that: its title is that of whichever revision was read last."""
    documents = await database.fetch_all(
        b"SELECT path, state, failure, content_hash, workspace, audience,"
        b" CASE WHEN state = 'indexed' THEN ROW(title, owner, licence, expires_at, review_by)::text END AS told"
        b" FROM documents ORDER BY path"
    )
    rows = await database.fetch_all(
        b"SELECT path, position, heading, text, hash, terms, embedding, c.workspace, c.audience, c.expires_at"
        b" FROM chunks c JOIN documents d ON d.id = c.document_id ORDER BY path, position, c.id"
    )
    names = ("path", "position", "heading", "text", "hash", "workspace", "audience", "expires_at")
    chunks = tuple((*(row[name] for name in names), row["terms"].to_text()) for row in rows)
    vectors = {bytes(row["hash"]): _unit(row["embedding"].to_numpy()) for row in rows}
    return Snapshot(tuple(documents), chunks, vectors)


async def find_faults(database: Database) -> list[str]:
    """What is wrong with the ledger or the counts, in words; empty when all is well and all work has ended."""
    faults = []
    rows = await database.fetch_all(b"SELECT version_id, workspace, audience, terms FROM document_terms")
    places = [(row["version_id"], row["workspace"], row["audience"]) for row in rows]
    terms = Counter((*place, term) for place, row in zip(places, rows, strict=True) for term in row["terms"].indices())
    chunks = await database.fetch_all(b"SELECT version_id, workspace, audience FROM chunks")
    counts: tuple[tuple[str, bytes, Counter[Any]], ...] = (
        ("terms", b"SELECT version_id, workspace, audience, term, documents AS n FROM term_frequencies", terms),
        ("documents", b"SELECT version_id, workspace, audience, documents AS n FROM index_sizes", Counter(places)),
        (
            "chunks",
            b"SELECT version_id, workspace, audience, chunks AS n FROM index_sizes",
            Counter(tuple(row.values()) for row in chunks),
        ),
    )
    for what, table, counted in counts:
        found = await database.fetch_all(table)
        kept: dict[Any, int] = {tuple(row.values())[:-1]: row["n"] for row in found if row["n"]}
        if kept != counted:
            wrong = sum(kept.get(key, 0) != counted.get(key, 0) for key in kept.keys() | counted.keys())
            faults.append(f"{wrong} counts of {what} are not those of the rows")
    for what, query in (
        ("open jobs", b"SELECT id FROM jobs WHERE state IN ('queued', 'running')"),
        ("open looks", b"SELECT id FROM looks WHERE state NOT IN ('done', 'failed')"),
        ("documents that were never read", b"SELECT id FROM documents WHERE state = 'new'"),
        ("documents that workers died of", b"SELECT id FROM documents WHERE failure LIKE 'Its worker died%'"),
    ):
        if left := await database.fetch_all(query):
            faults.append(f"{len(left)} {what}")
    return faults


class Revisions:
    """Every revision that each file of a history has had: at any moment, a document is found as one of them."""

    def __init__(self, history: Iterable[Commit]) -> None:
        texts: dict[str, set[str]] = defaultdict(set)
        for commit in history:
            for path, text in commit.texts.items():
                if text is not None:
                    texts[path].add(text)
        self._known = {
            path: {frozenset(cut_passages(path, text.encode(errors="replace"))) for text in own}
            for path, own in texts.items()
        }

    def find_mixed(self, found: Sequence[Passage]) -> list[str]:
        """The paths whose passages, as found in one snapshot, are those of no revision, or are there twice."""
        by_path: dict[str, list[Passage]] = defaultdict(list)
        for passage in found:
            by_path[passage.path].append(passage)
        return [
            path
            for path, own in by_path.items()
            if len(own) != len(set(own)) or frozenset(own) not in self._known.get(path, ())
        ]


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = vector.astype(np.float64)
    unit: NDArray[np.float64] = wide / max(float(np.linalg.norm(wide)), 1e-12)
    return unit
