-- name: read_chunks
-- why: what is there decides which rows may stay.
SELECT id, version_id, hash, terms, workspace, audience FROM chunks WHERE document_id = %(document_id)s ORDER BY id;

-- name: read_place
-- why: who may see the document; its chunks are counted for them.
SELECT workspace, audience FROM documents WHERE id = %(document_id)s;

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
    (document_id, version_id, position, heading, text, hash, embedding, terms, workspace, audience, expires_at)
SELECT d.id, %(version_id)s, %(position)s, %(heading)s, %(text)s, %(hash)s, %(embedding)s, %(terms)s,
    d.workspace, d.audience, %(expires_at)s
FROM documents d WHERE d.id = %(document_id)s;

-- name: count_terms
-- why: document frequencies follow every swap. In the order of the key, so that two swaps cannot deadlock.
INSERT INTO term_frequencies AS f (version_id, workspace, audience, term, chunks)
SELECT version_id, workspace, audience, term, change
FROM unnest(%(versions)s::int[], %(workspaces)s::text[], %(audiences)s::text[], %(terms)s::int[], %(changes)s::bigint[])
    AS c (version_id, workspace, audience, term, change)
ORDER BY version_id, workspace, audience, term
ON CONFLICT (version_id, workspace, audience, term) DO UPDATE SET chunks = f.chunks + excluded.chunks;

-- name: count_chunks
-- why: the number of chunks that the IDF is relative to, and that of them all. Last, since every swap wants these rows.
WITH counted AS (
    INSERT INTO chunk_counts AS c (version_id, workspace, audience, chunks)
    VALUES (%(version_id)s, %(workspace)s, %(audience)s, %(change)s)
    ON CONFLICT (version_id, workspace, audience) DO UPDATE SET chunks = c.chunks + excluded.chunks
)
UPDATE index_versions SET chunks = chunks + %(change)s WHERE id = %(version_id)s;

-- name: delete_source_chunks
-- why: a removed source's passages are gone at once.
DELETE FROM chunks WHERE document_id IN (SELECT id FROM documents WHERE source_id = %(source_id)s)
RETURNING version_id, workspace, audience, terms;
