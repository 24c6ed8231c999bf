-- name: confirm_document
-- why: the file was touched, its content was not: remember the new stamp, and how many chunks were kept.
UPDATE documents SET stamp = %(stamp)s
WHERE id = %(document_id)s AND state = 'indexed' AND content_hash = %(content_hash)s AND version_id = %(version_id)s
RETURNING (SELECT count(*) FROM chunks WHERE document_id = %(document_id)s AND version_id = %(version_id)s) AS chunks;

-- name: find_embeddings
-- why: a text that stands anywhere in the index version is never embedded again.
SELECT DISTINCT ON (hash) hash, embedding FROM chunks
WHERE version_id = %(version_id)s AND hash = ANY(%(hashes)s) ORDER BY hash;

-- name: lock_document
-- why: one writer at a time; says what was indexed before, if anything.
SELECT id, content_hash, indexed_at FROM documents WHERE id = %(document_id)s FOR UPDATE;

-- name: update_document
-- why: in the same transaction as its chunks.
UPDATE documents SET state = 'indexed', failure = NULL, version_id = %(version_id)s, content_hash = %(content_hash)s,
    stamp = %(stamp)s, title = %(title)s, owner = %(owner)s, licence = %(licence)s, expires_at = %(expires_at)s,
    review_by = %(review_by)s, changed_at = coalesce(%(changed_at)s, changed_at), indexed_at = now()
WHERE id = %(document_id)s;

-- name: fail_document
-- why: the stamp stays with the failure, so that only a change or a person makes it be tried again.
UPDATE documents SET state = 'failed', failure = %(reason)s, stamp = %(stamp)s, content_hash = NULL, version_id = NULL,
    indexed_at = NULL
WHERE id = %(document_id)s;

-- name: forget_stamp
-- why: without its stamp the document is listed again, and never taken for unchanged.
UPDATE documents SET stamp = NULL WHERE id = %(document_id)s;

-- name: delete_document
-- why: its chunks are gone already, counted.
DELETE FROM documents WHERE id = %(document_id)s;
