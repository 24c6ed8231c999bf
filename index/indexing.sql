-- name: confirm_document
-- why: the file was touched, its content was not: remember the new stamp, and how many chunks were kept.
UPDATE documents d SET stamp = %(stamp)s FROM sources s
WHERE d.id = %(document_id)s AND s.id = d.source_id AND d.state = 'indexed' AND d.content_hash = %(content_hash)s
    AND %(version_id)s = ANY(d.versions) AND is_allowed(coalesce(d.licence, s.licence), %(licences)s::text[])
RETURNING (SELECT count(*) FROM chunks WHERE document_id = %(document_id)s AND version_id = %(version_id)s) AS chunks;

-- name: find_embeddings
-- why: a text that stands anywhere in the index is never embedded again by the same embedder: it alone makes the vector,
-- and the hash is of all that it reads. A vector says no more than the text, which the asking document has too.
SELECT DISTINCT ON (hash) hash, embedding FROM chunks
WHERE hash = ANY(%(hashes)s) AND NOT stands_in AND version_id = ANY(ARRAY(
    SELECT v.id FROM index_versions v JOIN index_versions own ON own.pipeline->'embedder' = v.pipeline->'embedder'
    WHERE own.id = %(version_id)s
))
ORDER BY hash;

-- name: lock_document
-- why: one writer at a time; says what was indexed before, if anything, what the source says of all its documents, and
-- which version is searched.
SELECT d.id, d.content_hash, d.indexed_at, s.expires_at AS source_expires_at,
    (SELECT id FROM index_versions WHERE is_current) AS searched
FROM documents d JOIN sources s ON s.id = d.source_id WHERE d.id = %(document_id)s FOR UPDATE OF d;

-- name: check_licence
-- why: a document that states no licence has its source's.
SELECT coalesce(%(licence)s, licence) AS licence,
    is_allowed(coalesce(%(licence)s, licence), %(licences)s::text[]) AS is_allowed
FROM sources WHERE id = %(source_id)s;

-- name: update_document
-- why: in the same transaction as its chunks. Only other content is a change; a new pipeline makes nothing fresher. What was
-- moved or copied here is as old as it was, and no later than it came.
UPDATE documents SET state = 'indexed', failure = NULL, failed_at = NULL, refused = false, stamp = %(stamp)s,
    title = %(title)s, language = %(language)s, owner = %(owner)s, licence = %(licence)s, expires_at = %(expires_at)s, review_by = %(review_by)s,
    admitted_at = greatest(
        CASE WHEN refused THEN (SELECT listed_at FROM looks WHERE id = %(look_id)s) ELSE admitted_at END,
        CASE WHEN content_hash IS DISTINCT FROM %(content_hash)s THEN %(arrived_at)s::timestamptz END),
    indexed_at = now(), content_hash = %(content_hash)s,
    versions = CASE WHEN content_hash = %(content_hash)s THEN array_remove(versions, %(version_id)s) ELSE '{}' END
        || %(version_id)s::int,
    changed_at = coalesce(%(changed_at)s, changed_at),
    arose_at = CASE WHEN content_hash = %(content_hash)s THEN arose_at ELSE coalesce(%(changed_at)s, changed_at) END,
    noticed_at = CASE WHEN content_hash = %(content_hash)s THEN noticed_at
        ELSE (SELECT listed_at FROM looks WHERE id = %(look_id)s) END,
    searchable_at = CASE WHEN content_hash = %(content_hash)s THEN searchable_at ELSE now() END
WHERE id = %(document_id)s;

-- name: fail_document
-- why: the stamp stays with the failure, so that only a change or a person makes it be tried again.
UPDATE documents SET state = 'failed', failure = %(reason)s, failed_at = now(), stamp = %(stamp)s,
    refused = %(refused)s, licence = CASE WHEN %(refused)s THEN %(licence)s ELSE licence END,
    content_hash = NULL, versions = '{}', indexed_at = NULL, arose_at = NULL, noticed_at = NULL, searchable_at = NULL
WHERE id = %(document_id)s;

-- name: forget_stamp
-- why: without its stamp the document is listed again, and never taken for unchanged.
UPDATE documents SET stamp = NULL WHERE id = %(document_id)s;

-- name: delete_document
-- why: its chunks are gone already, counted.
DELETE FROM documents WHERE id = %(document_id)s;
