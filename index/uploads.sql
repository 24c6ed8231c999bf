-- name: put_upload
-- why: the same name again replaces it; the trail says who did.
WITH put AS (
    INSERT INTO uploads (source_id, name, content, hash, uploaded_by)
    VALUES (%(source_id)s, %(name)s, %(content)s, %(hash)s, %(actor)s)
    ON CONFLICT (source_id, name) DO UPDATE SET content = excluded.content, hash = excluded.hash,
        uploaded_by = excluded.uploaded_by, uploaded_at = now()
    RETURNING name
)
INSERT INTO audit_trail (actor, action, subject) SELECT %(actor)s, 'upload', %(source)s || ': ' || name FROM put;

-- name: remove_upload
-- why: its document goes with the next look.
WITH gone AS (DELETE FROM uploads WHERE source_id = %(source_id)s AND name = %(name)s RETURNING name)
INSERT INTO audit_trail (actor, action, subject) SELECT %(actor)s, 'remove upload', %(source)s || ': ' || name FROM gone;
