-- name: add_source
-- why: returns no row when the name is taken.
WITH added AS (
    INSERT INTO sources (name, kind, location, workspace, audience, options, look_interval_s, added_by)
    VALUES (%(name)s, %(kind)s, %(location)s, %(workspace)s, %(audience)s, %(options)s,
        %(look_interval_s)s, %(added_by)s)
    ON CONFLICT (name) DO NOTHING
    RETURNING *
), audit AS (
    INSERT INTO audit_trail (actor, action, subject) SELECT %(added_by)s, 'add source', name FROM added
)
SELECT * FROM added;

-- name: find_source
-- why: people know sources by name.
SELECT * FROM sources WHERE name = %(name)s;

-- name: lock_source
-- why: jobs that are about to write wait here, and then find that their job is gone.
SELECT id FROM sources WHERE name = %(name)s FOR UPDATE;

-- name: delete_source
-- why: documents, looks and jobs go with it.
WITH deleted AS (DELETE FROM sources WHERE id = %(id)s RETURNING name)
INSERT INTO audit_trail (actor, action, subject) SELECT %(removed_by)s, 'remove source', name FROM deleted;

-- name: list_sources
-- why: runs as the operator and as a viewer; row-level security makes the difference. Counts nothing, so it may be asked often.
SELECT * FROM sources ORDER BY name;

-- name: list_statuses
-- why: as above, with what is in them. `lags` are seconds, p50 and p95.
SELECT s.*,
    (SELECT count(*) FROM documents d WHERE d.source_id = s.id) AS documents,
    (SELECT count(*) FROM documents d JOIN chunks c ON c.document_id = d.id
        JOIN index_versions v ON v.id = c.version_id AND v.is_current WHERE d.source_id = s.id) AS chunks,
    (SELECT count(*) FROM documents d WHERE d.source_id = s.id AND d.state = 'failed') AS failed,
    (SELECT count(*) FROM documents d WHERE d.source_id = s.id AND d.state = 'retired') AS retired,
    (SELECT count(*) FROM standings d WHERE d.source_id = s.id AND d.state = 'indexed' AND d.review_by <= now()) AS due,
    (SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY d.lag_s) FROM standings d
        WHERE d.source_id = s.id AND d.state = 'indexed') AS lags,
    l.id AS look_id, l.at AS last_look_at, l.state AS last_look_state,
    ARRAY(SELECT d.path || ': ' || d.failure FROM documents d WHERE d.source_id = s.id AND d.state = 'failed'
        ORDER BY d.path LIMIT %(shown)s) AS failures
FROM sources s LEFT JOIN LATERAL (
    SELECT id, coalesce(finished_at, requested_at) AS at, state FROM looks WHERE source_id = s.id ORDER BY id DESC LIMIT 1
) l ON true
ORDER BY s.name;

-- name: set_terms
-- why: what is not to be set keeps its value.
UPDATE sources SET owner = CASE WHEN 'owner' = ANY(%(given)s) THEN %(owner)s ELSE owner END,
    licence = CASE WHEN 'licence' = ANY(%(given)s) THEN %(licence)s ELSE licence END,
    expires_at = CASE WHEN 'expires_at' = ANY(%(given)s) THEN %(expires_at)s ELSE expires_at END,
    review_by = CASE WHEN 'review_by' = ANY(%(given)s) THEN %(review_by)s ELSE review_by END
WHERE id = %(id)s;

-- name: move_expiry
-- why: each passage says by itself until when it may be read; the earlier of the document's word and its source's holds.
UPDATE chunks c SET expires_at = st.expires_at
FROM standings st WHERE st.id = c.document_id AND st.source_id = %(id)s AND c.expires_at IS DISTINCT FROM st.expires_at;

-- name: note
-- why: who set what.
INSERT INTO audit_trail (actor, action, subject) VALUES (%(actor)s, %(action)s, %(subject)s);
