-- name: make_notices
-- why: one row for each time that somebody has to be told, however many look at the same moment. A document's own date
-- makes a notice of its own; a source's date makes one for the source, not one for each of its documents.
INSERT INTO review_notices (source_id, document_id, owner, due_at)
SELECT st.source_id, st.id, st.owner, st.review_by
FROM standings st JOIN documents d ON d.id = st.id
WHERE st.state = 'indexed' AND d.review_by IS NOT NULL AND st.review_by <= now() AND starts_with(st.owner, %(prefix)s)
    AND st.workspace = ANY(%(workspaces)s) AND (st.expires_at IS NULL OR st.expires_at > now())
UNION ALL
SELECT id, NULL, owner, review_by FROM sources
WHERE review_by <= now() AND starts_with(owner, %(prefix)s) AND workspace = ANY(%(workspaces)s)
    AND (expires_at IS NULL OR expires_at > now())
ON CONFLICT DO NOTHING;

-- name: list_untold
-- why: oldest first. What somebody has settled since needs no telling.
SELECT n.id, n.made_at, n.owner
FROM review_notices n JOIN sources s ON s.id = n.source_id LEFT JOIN standings st ON st.id = n.document_id
WHERE n.told_at IS NULL AND starts_with(n.owner, %(prefix)s) AND s.workspace = ANY(%(workspaces)s)
    AND CASE WHEN n.document_id IS NULL THEN s.review_by ELSE st.review_by END <= now()
    AND coalesce(st.state, 'indexed') = 'indexed'
ORDER BY n.id LIMIT %(limit)s;

-- name: mark_told
-- why: the message is in the inbox, which sends it once.
UPDATE review_notices SET told_at = now() WHERE id = %(id)s;

-- name: read_notice
-- why: what it is about, as that stands now.
SELECT n.id, n.owner, n.due_at, n.document_id, s.id AS source_id, s.name AS source, d.path, d.title,
    coalesce(d.state, 'source') AS state, CASE WHEN d.id IS NULL THEN s.review_by ELSE st.review_by END AS review_by,
    coalesce(st.owner, s.owner) AS current_owner
FROM review_notices n JOIN sources s ON s.id = n.source_id
    LEFT JOIN documents d ON d.id = n.document_id LEFT JOIN standings st ON st.id = d.id
WHERE n.id = %(id)s;

-- name: find_document
-- why: people know documents by their source and path.
SELECT d.id FROM documents d JOIN sources s ON s.id = d.source_id WHERE s.name = %(source)s AND d.path = %(path)s;

-- name: lock_source_of
-- why: as every writer of a document does first.
SELECT s.id, s.name FROM sources s JOIN documents d ON d.source_id = s.id WHERE d.id = %(document_id)s FOR KEY SHARE OF s;

-- name: cancel_jobs_of
-- why: a job that is at work on the document would bring it back.
UPDATE jobs SET state = 'cancelled', lease_until = NULL, finished_at = now()
WHERE document_id = %(document_id)s AND state IN ('queued', 'running');

-- name: lock_document
-- why: one writer at a time.
SELECT id, path, state FROM documents WHERE id = %(document_id)s FOR UPDATE;

-- name: confirm_document
-- why: the document's own date stays as it was written; the later one of these two counts. A second press changes nothing.
UPDATE documents SET confirmed_until = now() + make_interval(days => %(days)s)
WHERE id = %(document_id)s AND (confirmed_until IS NULL
    OR confirmed_until < now() + make_interval(days => %(days)s) - interval '1 minute');

-- name: confirm_source
-- why: its date is nowhere but here.
UPDATE sources SET review_by = now() + make_interval(days => %(days)s) WHERE id = %(source_id)s AND review_by <= now()
RETURNING name;

-- name: retire_document
-- why: out of the index, and no look brings it back.
UPDATE documents SET state = 'retired', failure = NULL, failed_at = NULL, refused = false, stamp = NULL,
    content_hash = NULL, versions = '{}', indexed_at = NULL, arose_at = NULL, noticed_at = NULL,
    searchable_at = NULL
WHERE id = %(document_id)s;

-- name: restore_document
-- why: as if it had just been added: the next look reads it, or finds that it is gone.
UPDATE documents SET state = 'new', admitted_at = now() WHERE id = %(document_id)s AND state = 'retired';

-- name: reread_document
-- why: whatever the source's stamp says, the next look reads it.
UPDATE documents SET stamp = NULL WHERE id = %(document_id)s AND state <> 'retired';

-- name: note
-- why: who decided what.
INSERT INTO audit_trail (actor, action, subject) VALUES (%(actor)s, %(action)s, %(subject)s);
