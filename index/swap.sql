-- name: read_chunks
-- why: what is there decides which rows may stay.
SELECT id, version_id, workspace, audience, hash, term_ids, stands_in FROM chunks WHERE document_id = %(document_id)s ORDER BY id;

-- name: delete_chunks
-- why: they no longer stand in the document.
DELETE FROM chunks WHERE id = ANY(%(ids)s);

-- name: move_chunk
-- why: a chunk above it may have come or gone; its embedding and terms hold.
UPDATE chunks SET position = %(position)s, heading = %(heading)s, text = %(text)s, expires_at = %(expires_at)s
WHERE id = %(id)s AND (position, heading, text, expires_at)
    IS DISTINCT FROM (%(position)s, %(heading)s, %(text)s, %(expires_at)s::timestamptz);

-- name: insert_chunk
-- why: workspace and audience are copied from the document, never told by the caller.
INSERT INTO chunks
    (document_id, version_id, position, heading, text, hash, embedding, terms, term_ids, workspace, audience, expires_at,
    stands_in)
SELECT d.id, %(version_id)s, %(position)s, %(heading)s, %(text)s, %(hash)s, %(embedding)s, %(terms)s, %(term_ids)s,
    d.workspace, d.audience, %(expires_at)s, %(stands_in)s
FROM documents d WHERE d.id = %(document_id)s;

-- name: read_document_terms
-- why: what the document counted for until now.
SELECT version_id, workspace, audience, terms FROM document_terms WHERE document_id = %(document_id)s;

-- name: delete_document_terms
-- why: they go with the chunks of their version.
DELETE FROM document_terms WHERE document_id = %(document_id)s AND version_id = ANY(%(versions)s);

-- name: add_document_terms
-- why: one row a version; workspace and audience as with its chunks. It is counted for those who may see it.
INSERT INTO document_terms (document_id, version_id, terms, workspace, audience)
SELECT d.id, %(version_id)s, %(terms)s, d.workspace, d.audience FROM documents d WHERE d.id = %(document_id)s
RETURNING version_id, workspace, audience;

-- name: count_terms
-- why: frequencies follow every swap. In the order of the key, so that two swaps cannot deadlock.
INSERT INTO term_frequencies AS f (version_id, workspace, audience, term, documents, chunks)
SELECT version_id, workspace, audience, term, documents, chunks
FROM unnest(
    %(versions)s::int[], %(workspaces)s::text[], %(audiences)s::text[], %(terms)s::int[], %(documents)s::bigint[],
    %(chunks)s::bigint[]
) AS c (version_id, workspace, audience, term, documents, chunks)
ORDER BY version_id, workspace, audience, term
ON CONFLICT (version_id, workspace, audience, term)
    DO UPDATE SET documents = f.documents + excluded.documents, chunks = f.chunks + excluded.chunks;

-- name: count_size
-- why: what the frequencies are relative to. Last, since every swap wants this row.
INSERT INTO index_sizes AS s (version_id, workspace, audience, documents, chunks)
VALUES (%(version_id)s, %(workspace)s, %(audience)s, %(documents)s, %(chunks)s)
ON CONFLICT (version_id, workspace, audience)
    DO UPDATE SET documents = s.documents + excluded.documents, chunks = s.chunks + excluded.chunks;

-- name: delete_source_chunks
-- why: a removed source's passages are gone at once.
DELETE FROM chunks WHERE document_id IN (SELECT id FROM documents WHERE source_id = %(source_id)s)
RETURNING version_id, workspace, audience, term_ids;

-- name: delete_source_terms
-- why: as its chunks.
DELETE FROM document_terms WHERE document_id IN (SELECT id FROM documents WHERE source_id = %(source_id)s)
RETURNING version_id, workspace, audience, terms;
