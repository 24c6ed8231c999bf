-- name: add_version
-- why: two workers may meet a new pipeline at once; the first version of all is searched from the start.
INSERT INTO index_versions (pipeline, is_current)
SELECT %(pipeline)s::jsonb, NOT EXISTS (SELECT FROM index_versions WHERE is_current)
ON CONFLICT DO NOTHING;

-- name: find_version
-- why: the version that this code's chunks belong to.
SELECT id FROM index_versions WHERE pipeline = %(pipeline)s::jsonb;

-- name: lock_versions
-- why: what is decided then cannot change any more. Swaps, whose rows refer to a version, are not held up.
SELECT FROM index_versions ORDER BY id FOR NO KEY UPDATE;

-- name: is_complete
-- why: search leaves the old version only when nothing would be missing from the new one, and never one that was chosen.
SELECT FROM index_versions
WHERE is_current AND NOT is_held AND id <> %(version_id)s AND NOT EXISTS (
    SELECT FROM documents
    WHERE state = 'new' OR (state = 'indexed' AND NOT %(version_id)s = ANY(versions))
);

-- name: release_version
-- why: who went back to this version has its pipeline again, so nothing needs holding; the next version may take over.
UPDATE index_versions SET is_held = false WHERE id = %(version_id)s AND is_held;

-- name: leave_version
-- why: a statement of its own, since only one version may be current at any moment.
UPDATE index_versions SET is_current = false, is_held = false, left_at = now() WHERE is_current AND id <> %(version_id)s;

-- name: enter_version
-- why: search reads it from here on.
UPDATE index_versions SET is_current = true, is_held = %(is_held)s, left_at = NULL WHERE id = %(version_id)s;

-- name: list_versions
-- why: `missing` counts the documents that search would not find in it. The newest look tells what is being built.
SELECT v.id, v.pipeline, v.is_current, v.is_held, v.created_at, v.left_at,
    coalesce(v.id = (SELECT version_id FROM looks WHERE version_id IS NOT NULL ORDER BY id DESC LIMIT 1), false) AS is_built,
    (SELECT coalesce(sum(chunks), 0)::bigint FROM index_sizes WHERE version_id = v.id) AS chunks,
    (SELECT count(*) FROM documents d WHERE d.state = 'indexed' AND v.id = ANY(d.versions)) AS documents,
    (SELECT count(*) FROM documents d WHERE d.state = 'new' OR (d.state = 'indexed' AND NOT v.id = ANY(d.versions))) AS missing
FROM index_versions v ORDER BY v.id;

-- name: list_old_versions
-- why: what nobody searches or builds, beyond the one that search left last, within the time that this one is kept.
SELECT id FROM index_versions v
WHERE NOT is_current
    AND EXISTS (SELECT FROM documents d WHERE v.id = ANY(d.versions))
    AND id IS DISTINCT FROM (SELECT version_id FROM looks WHERE version_id IS NOT NULL ORDER BY id DESC LIMIT 1)
    AND (
        left_at IS NULL OR left_at < now() - make_interval(days => %(kept_days)s)
        OR left_at < (SELECT max(left_at) FROM index_versions)
    )
ORDER BY id;

-- name: lock_sources
-- why: waits for the swaps that are under way and lets none begin, so that none is met half-way.
SELECT id FROM sources ORDER BY id FOR UPDATE;

-- name: drop_chunks
-- why: nobody reads a version that was pruned.
DELETE FROM chunks WHERE version_id = ANY(%(version_ids)s);

-- name: drop_frequencies
-- why: as its chunks.
DELETE FROM term_frequencies WHERE version_id = ANY(%(version_ids)s);

-- name: forget_documents
-- why: should the version be built again, every document is read for it.
UPDATE documents SET versions = ARRAY(SELECT id FROM unnest(versions) AS kept (id) WHERE id <> ALL(%(version_ids)s))
WHERE versions && %(version_ids)s::int[];

-- name: drop_terms
-- why: as its chunks.
DELETE FROM document_terms WHERE version_id = ANY(%(version_ids)s);

-- name: drop_sizes
-- why: as its chunks.
DELETE FROM index_sizes WHERE version_id = ANY(%(version_ids)s);

-- name: note
-- why: who moved search, and to what.
INSERT INTO audit_trail (actor, action, subject) VALUES (%(actor)s, %(action)s, %(subject)s);
