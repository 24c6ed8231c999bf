-- name: begin_listing
-- why: who asks for a look from here on may have changed a file that was listed already, and gets a second listing.
UPDATE looks SET state = 'listing', listed_at = now() WHERE id = %(look_id)s AND state IN ('queued', 'listing');

-- name: count_gone
-- why: for the guard against a source that suddenly lists almost nothing. Folders that cannot be seen into have not vanished.
SELECT l.accept_removals,
    (SELECT count(*) FROM documents WHERE source_id = %(source_id)s AND state <> 'retired') AS known,
    (SELECT count(*) FROM documents d WHERE d.source_id = %(source_id)s AND d.state <> 'retired' AND d.path <> ALL(%(paths)s::text[])
        AND NOT EXISTS (SELECT FROM unnest(%(unseen_folders)s::text[]) AS u (path) WHERE starts_with(d.path, u.path))
    ) AS gone
FROM looks l WHERE l.id = %(look_id)s;

-- name: add_documents
-- why: a document has its row, and with it its id, before it is read.
INSERT INTO documents (source_id, path, workspace, audience, title, uri, changed_at)
SELECT s.id, listed.path, s.workspace, s.audience, listed.path, listed.uri, listed.changed_at
FROM sources s, unnest(%(paths)s::text[], %(uris)s::text[], %(changed_ats)s::timestamptz[])
    AS listed (path, uri, changed_at)
WHERE s.id = %(source_id)s
ON CONFLICT (source_id, path) DO NOTHING;

-- name: add_index_jobs
-- why: the first gate: only what is new, or may have changed since it was read, or was made by another pipeline, or whose
-- licence is allowed no longer, or again. What a person retired is left alone.
INSERT INTO jobs (look_id, kind, document_id, path, stamp, fault)
SELECT l.id, 'index', d.id, d.path, listed.stamp, listed.fault
FROM looks l, documents d JOIN sources s ON s.id = d.source_id
    JOIN unnest(%(paths)s::text[], %(stamps)s::text[], %(faults)s::text[]) AS listed (path, stamp, fault)
    ON listed.path = d.path
WHERE l.id = %(look_id)s AND d.source_id = %(source_id)s AND d.state <> 'retired' AND (
    d.state = 'new'
    OR listed.stamp IS DISTINCT FROM d.stamp
    OR (listed.stamp IS NULL AND listed.fault IS NULL)
    OR (d.state = 'indexed' AND NOT %(version_id)s = ANY(d.versions))
    OR (d.state = 'indexed' AND NOT is_allowed(coalesce(d.licence, s.licence), %(licences)s::text[]))
    OR (d.refused AND is_allowed(coalesce(d.licence, s.licence), %(licences)s::text[]))
    OR (d.state = 'failed' AND l.retry_failed)
)
ORDER BY d.id
ON CONFLICT (document_id) WHERE state IN ('queued', 'running') DO NOTHING;

-- name: add_remove_jobs
-- why: what is no longer listed is no longer true. What was retired is kept in mind, should it be listed again.
INSERT INTO jobs (look_id, kind, document_id, path)
SELECT %(look_id)s, 'remove', d.id, d.path
FROM documents d
WHERE d.source_id = %(source_id)s AND d.state <> 'retired' AND d.path <> ALL(%(paths)s::text[])
    AND NOT EXISTS (SELECT FROM unnest(%(unseen_folders)s::text[]) AS u (path) WHERE starts_with(d.path, u.path))
ORDER BY d.id
ON CONFLICT (document_id) WHERE state IN ('queued', 'running') DO NOTHING;

-- name: mark_seen
-- why: freshness: up to when is it known that the document stands as it was indexed.
UPDATE documents SET seen_at = now() WHERE source_id = %(source_id)s AND path = ANY(%(paths)s::text[]);

-- name: begin_running
-- why: what needed no job is unchanged, and its chunks are kept.
UPDATE looks SET state = 'running', version_id = %(version_id)s,
    unchanged = (SELECT count(*) FROM documents d WHERE d.source_id = %(source_id)s AND d.state <> 'retired'
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = looks.id AND j.document_id = d.id)),
    unchanged_chunks = (SELECT count(*) FROM documents d JOIN chunks c ON c.document_id = d.id
        WHERE d.source_id = %(source_id)s AND c.version_id = %(version_id)s
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = looks.id AND j.document_id = d.id))
WHERE id = %(look_id)s;

-- name: fail_look
-- why: the reason, for whoever asked.
UPDATE looks SET state = 'failed', error = %(reason)s, finished_at = now() WHERE id = %(look_id)s;
