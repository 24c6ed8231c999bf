"""The indexing of one document: read, extract, cut, embed what is new, then swap."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import DictRow

from index.analyser import OF_CHUNK, OF_DOCUMENT, count_terms, weigh_terms
from index.chunks import Chunk, cut_chunks
from index.connectors.registry import open_connector
from index.documents import DocumentError, ExtractedDocument, RawDocument
from index.extraction import extract_document
from index.leases import Lease, LeaseLost, finish, finish_failed, hold
from index.licences import LicenceRefused, list_allowed
from index.swap import IndexedChunk, swap_chunks
from tandem.db.pool import Connection, Database
from tandem.db.queries import load_queries
from tandem.models.client import ModelClient
from tandem.settings import Settings

QUERIES = load_queries("index", "indexing.sql")
BATCH = 64  # chunks an embedding request


@dataclass(frozen=True)
class _Draft:
    """A chunk before it has its embedding."""

    chunk: Chunk
    context: str
    hash: bytes


async def index_document(database: Database, model: ModelClient, settings: Settings, lease: Lease) -> None:
    """Makes the index say what the document says now.

    Nothing is written until all is at hand; then one transaction swaps the document and ends the job.
    Raises DocumentError when it cannot be read, LicenceRefused, ModelRejected; SourceUnavailable, ModelUnavailable,
    ModelBusy or ModelMisconfigured when it may be later; LeaseLost when overtaken.
    """
    if lease.fault:
        raise DocumentError(lease.fault)
    raw = await open_connector(lease.source, settings, database).read(lease.path, lease.stamp)
    content_hash = hashlib.blake2b(raw.data, digest_size=16).digest()
    allowed = list_allowed(settings)
    if content_hash == lease.content_hash and await _is_unchanged(database, lease, raw, content_hash, allowed):
        return
    document, drafts = await asyncio.to_thread(_prepare, raw.data, raw.name or lease.path)
    if allowed:  # empty allows every licence
        await _check_licence(database, lease, document, allowed)
    known = await _find_embeddings(database, lease, drafts)
    new = {draft.hash: draft.context for draft in drafts if draft.hash not in known}
    known |= await _embed(model, new)
    chunks = [
        IndexedChunk(draft.chunk, draft.hash, known[draft.hash], weigh_terms(count_terms(draft.context), OF_CHUNK))
        for draft in drafts
    ]
    await _swap(database, lease, raw, content_hash, document, chunks, embedded=len(new))


async def remove_document(database: Database, lease: Lease) -> None:
    """Takes a document that is no longer listed out of the index. Raises LeaseLost."""
    async with database.transaction() as connection:
        await hold(connection, lease)
        document_id = (await _lock_document(connection, lease))["id"]
        counts = await swap_chunks(connection, document_id, None, [])
        await finish(connection, lease, "removed", (0, 0, counts.removed))
        await connection.execute(QUERIES["delete_document"], {"document_id": document_id})


async def fail_document(database: Database, lease: Lease, reason: str, refusal: LicenceRefused | None = None) -> None:
    """Records why the document cannot be read, and drops its passages: what they say may no longer be true.

    With `refusal` the reason is its licence, and it comes back once that is allowed. Raises LeaseLost.
    """
    async with database.transaction() as connection:
        await hold(connection, lease)
        document_id = (await _lock_document(connection, lease))["id"]
        counts = await swap_chunks(connection, document_id, None, [])
        parameters = {
            "document_id": document_id,
            "stamp": lease.stamp,
            "reason": reason,
            "refused": refusal is not None,
            "licence": refusal.licence if refusal else None,
        }
        await connection.execute(QUERIES["fail_document"], parameters)
        await finish_failed(connection, lease, reason, counts.removed)


async def leave_document(database: Database, lease: Lease, reason: str) -> None:
    """Ends the job of a document whose source did not answer: what is indexed stays, and the next look tries again."""
    async with database.transaction() as connection:
        await hold(connection, lease)
        document_id = (await _lock_document(connection, lease))["id"]
        await connection.execute(QUERIES["forget_stamp"], {"document_id": document_id})
        await finish_failed(connection, lease, reason)


async def _lock_document(connection: Connection, lease: Lease) -> DictRow:
    """Returns the document's id, what was indexed of it and when, and when its source expires.

    Raises LeaseLost when it is gone.
    """
    parameters = {"document_id": lease.document_id}
    row = await (await connection.execute(QUERIES["lock_document"], parameters)).fetchone()
    if row is None:
        raise LeaseLost
    return row


async def _is_unchanged(
    database: Database, lease: Lease, raw: RawDocument, content_hash: bytes, allowed: list[str]
) -> bool:
    """The second gate. Ends the job when the content is what was indexed, by the same pipeline, and may be."""
    parameters = {
        "document_id": lease.document_id,
        "version_id": lease.version_id,
        "content_hash": content_hash,
        "stamp": raw.stamp,
        "licences": allowed,
    }
    async with database.transaction() as connection:
        await hold(connection, lease)
        row = await (await connection.execute(QUERIES["confirm_document"], parameters)).fetchone()
        if row is not None:
            await finish(connection, lease, "unchanged", (0, row["chunks"], 0))
    return row is not None


async def _check_licence(database: Database, lease: Lease, document: ExtractedDocument, allowed: list[str]) -> None:
    parameters = {"source_id": lease.source.id, "licence": document.licence, "licences": allowed}
    row = await database.fetch_one(QUERIES["check_licence"], parameters)
    if row is not None and not row["is_allowed"]:
        raise LicenceRefused(document.licence, row["licence"])


def _prepare(data: bytes, path: str) -> tuple[ExtractedDocument, list[_Draft]]:
    document = extract_document(data, path)
    drafts = []
    for chunk in cut_chunks(document.title, document.text):
        context = chunk.with_context(document.title)
        drafts.append(_Draft(chunk, context, hashlib.blake2b(context.encode(), digest_size=16).digest()))
    return document, drafts


async def _find_embeddings(
    database: Database, lease: Lease, drafts: Sequence[_Draft]
) -> dict[bytes, NDArray[np.float32]]:
    parameters = {"version_id": lease.version_id, "hashes": [draft.hash for draft in drafts]}
    rows = await database.fetch_all(QUERIES["find_embeddings"], parameters)
    return {row["hash"]: row["embedding"].to_numpy().astype(np.float32) for row in rows}


async def _embed(model: ModelClient, texts: dict[bytes, str]) -> dict[bytes, NDArray[np.float32]]:
    hashes = list(texts)
    found: dict[bytes, NDArray[np.float32]] = {}
    for start in range(0, len(hashes), BATCH):
        batch = hashes[start : start + BATCH]
        vectors = await model.embed([texts[key] for key in batch], bulk=True)
        found |= dict(zip(batch, vectors, strict=True))
    return found


async def _swap(
    database: Database,
    lease: Lease,
    raw: RawDocument,
    content_hash: bytes,
    document: ExtractedDocument,
    chunks: Sequence[IndexedChunk],
    *,
    embedded: int,
) -> None:
    parameters = {
        "document_id": lease.document_id,
        "look_id": lease.look_id,
        "version_id": lease.version_id,
        "content_hash": content_hash,
        "stamp": raw.stamp,
        "changed_at": raw.changed_at,
        "arrived_at": raw.arrived_at,
        "title": document.title,
        "language": document.language,
        "owner": document.owner,
        "licence": document.licence,
        "expires_at": document.expires_at,
        "review_by": document.review_by,
    }
    async with database.transaction() as connection, connection.pipeline():
        await hold(connection, lease)
        before = await _lock_document(connection, lease)
        is_same = before["content_hash"] == content_hash
        counts = await swap_chunks(
            connection,
            before["id"],
            lease.version_id,
            chunks,
            weigh_terms(count_terms(f"{document.title}\n{document.text}"), OF_DOCUMENT),
            # the source's own end counts too, so that each row says by itself until when it may be read
            expires_at=min(filter(None, (document.expires_at, before["source_expires_at"])), default=None),
            keep_other_versions=is_same,
            # what changed can be found at once, though search still reads the version before
            standing_in=None if is_same or before["searched"] == lease.version_id else before["searched"],
        )
        await connection.execute(QUERIES["update_document"], parameters)
        outcome = "changed" if before["indexed_at"] else "added"
        await finish(connection, lease, outcome, (embedded, len(chunks) - embedded, counts.removed))
