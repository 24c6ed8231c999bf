-- name: add_version
-- why: two workers may meet a new pipeline at once; the first version of all is searched from the start.
INSERT INTO index_versions (pipeline, is_current)
SELECT %(pipeline)s::jsonb, NOT EXISTS (SELECT FROM index_versions WHERE is_current)
ON CONFLICT DO NOTHING;

-- name: find_version
-- why: the version that this code's chunks belong to.
SELECT id FROM index_versions WHERE pipeline = %(pipeline)s::jsonb;

-- name: retire_version
-- why: search leaves the old version only when nothing would be missing from the new one.
UPDATE index_versions SET is_current = false
WHERE is_current AND id <> %(version_id)s AND NOT EXISTS (
    SELECT FROM documents
    WHERE state = 'new' OR (state = 'indexed' AND version_id IS DISTINCT FROM %(version_id)s)
);

-- name: promote_version
-- why: a statement of its own, since only one version may be current at any moment.
UPDATE index_versions SET is_current = true WHERE id = %(version_id)s;

-- name: drop_other_chunks
-- why: nobody reads a version that is not current.
DELETE FROM chunks WHERE version_id <> %(version_id)s;

-- name: drop_other_terms
-- why: as its chunks.
DELETE FROM document_terms WHERE version_id <> %(version_id)s;

-- name: drop_other_counts
-- why: as its chunks.
DELETE FROM chunk_counts WHERE version_id <> %(version_id)s;

-- name: drop_other_frequencies
-- why: as its chunks.
DELETE FROM term_frequencies WHERE version_id <> %(version_id)s;

-- name: empty_other_versions
-- why: their row stays, since documents may name it, but counts nothing.
UPDATE index_versions SET documents = 0 WHERE id <> %(version_id)s;
