-- name: begin_listing
-- why: who asks for a look from here on may have changed a file that was listed already, and gets a second listing.
UPDATE looks SET state = 'listing', met = 0, listed_at = now() WHERE id = %(look_id)s AND state IN ('queued', 'listing');

-- name: tell_met
-- why: for the line that people watch.
UPDATE looks SET met = %(met)s WHERE id = %(look_id)s AND state = 'listing' AND met <> %(met)s;

-- name: find_cursor
-- why: what the listing may leave out. All of it is listed anew when something is still to be done that no change would
-- bring up: a document that was never indexed, was read while it changed, was made by another pipeline, or whose licence is
-- allowed no longer, or again; or a person asks.
SELECT s.cursor FROM sources s JOIN looks l ON l.source_id = s.id
WHERE l.id = %(look_id)s AND NOT l.retry_failed AND NOT EXISTS (
    SELECT FROM documents d WHERE d.source_id = s.id AND d.state <> 'retired' AND (
        d.state = 'new' OR d.stamp IS NULL OR (d.state = 'indexed' AND NOT %(version_id)s = ANY(d.versions))
        OR (d.state = 'indexed' AND NOT is_allowed(coalesce(d.licence, s.licence), %(licences)s::text[]))
        OR (d.refused AND is_allowed(coalesce(d.licence, s.licence), %(licences)s::text[]))
    )
);

-- name: add_documents
-- why: a document has its row, and with it its id, before it is read. Also what the listing alone tells is kept.
INSERT INTO documents AS d (source_id, path, workspace, audience, title, uri, changed_at)
SELECT s.id, listed.path, s.workspace, s.audience, listed.path, listed.uri, listed.changed_at
FROM sources s, unnest(%(paths)s::text[], %(uris)s::text[], %(changed_ats)s::timestamptz[])
    AS listed (path, uri, changed_at)
WHERE s.id = %(source_id)s
ON CONFLICT (source_id, path) DO UPDATE SET uri = excluded.uri, changed_at = coalesce(excluded.changed_at, d.changed_at)
WHERE d.uri <> excluded.uri OR d.changed_at IS DISTINCT FROM coalesce(excluded.changed_at, d.changed_at);

-- name: find_gone
-- why: what is no longer listed is no longer true; but what cannot be seen has not vanished. What was retired is kept in
-- mind, should it be listed again.
SELECT d.id FROM documents d
WHERE d.source_id = %(source_id)s AND d.state <> 'retired'
    AND CASE WHEN %(is_difference)s THEN d.path = ANY(%(removed)s::text[])
        ELSE NOT EXISTS (SELECT FROM unnest(%(paths)s::text[]) AS l (path) WHERE l.path = d.path) END
    AND d.path <> ALL(%(unseen)s::text[])
    AND NOT EXISTS (SELECT FROM unnest(%(unseen_under)s::text[]) AS u (path) WHERE starts_with(d.path, u.path));

-- name: count_known
-- why: for the guard against a source that suddenly lists almost nothing.
SELECT l.accept_removals, (SELECT count(*) FROM documents WHERE source_id = %(source_id)s AND state <> 'retired') AS known
FROM looks l WHERE l.id = %(look_id)s;

-- name: add_index_jobs
-- why: the first gate: only what is new, or may have changed since it was read, or was made by another pipeline, or whose
-- licence is allowed no longer, or again. What a person retired is left alone.
INSERT INTO jobs (look_id, kind, document_id, path, stamp, fault, turn)
SELECT l.id, 'index', d.id, d.path, listed.stamp, listed.fault, row_number() OVER (ORDER BY d.id)
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
-- why: what vanished is taken out one by one, each in a transaction of its own; last, as what moved is then embedded already.
INSERT INTO jobs (look_id, kind, document_id, path, turn)
SELECT %(look_id)s, 'remove', d.id, d.path,
    row_number() OVER (ORDER BY d.id) + (SELECT coalesce(max(turn), 0) FROM jobs WHERE look_id = %(look_id)s) FROM documents d WHERE d.id = ANY(%(gone)s::bigint[]) ORDER BY d.id
ON CONFLICT (document_id) WHERE state IN ('queued', 'running') DO NOTHING;

-- name: keep_cursor
-- why: in the transaction that makes a job of every difference, so that none is skipped.
UPDATE sources SET cursor = %(cursor)s WHERE id = %(source_id)s AND cursor IS DISTINCT FROM %(cursor)s;

-- name: begin_running
-- why: what needed no job is unchanged, and its chunks are kept.
UPDATE looks SET state = 'running', version_id = %(version_id)s, notes = %(notes)s,
    unchanged = (SELECT count(*) FROM documents d WHERE d.source_id = %(source_id)s AND d.state <> 'retired'
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = looks.id AND j.document_id = d.id)),
    unchanged_chunks = (SELECT count(*) FROM documents d JOIN chunks c ON c.document_id = d.id
        WHERE d.source_id = %(source_id)s AND c.version_id = %(version_id)s
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = looks.id AND j.document_id = d.id))
WHERE id = %(look_id)s;

-- name: fail_look
-- why: the reason, for whoever asked.
UPDATE looks SET state = 'failed', error = %(reason)s, finished_at = now() WHERE id = %(look_id)s;
