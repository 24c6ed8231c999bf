-- name: add_look
-- why: one open look a source. A request that meets an open one is taken in: once its listing has begun, it lists again.
WITH look AS (
    INSERT INTO looks AS l (source_id, requested_by, retry_failed, accept_removals)
    VALUES (%(source_id)s, %(requested_by)s, %(by_hand)s, %(accept_removals)s)
    ON CONFLICT (source_id) WHERE state IN ('queued', 'listing', 'running') DO UPDATE SET
        again = l.again OR (l.state <> 'queued' AND %(is_news)s),
        retry_failed = l.retry_failed OR excluded.retry_failed,
        accept_removals = l.accept_removals OR excluded.accept_removals
    RETURNING id, xmax = 0 AS is_new
), job AS (
    INSERT INTO jobs (look_id, kind) SELECT id, 'list' FROM look WHERE is_new
), audit AS (
    INSERT INTO audit_trail (actor, action, subject)
    SELECT %(requested_by)s, 're-index', name FROM sources WHERE id = %(source_id)s AND %(by_hand)s
)
SELECT id FROM look;

-- name: lock_source
-- why: waits for the writes that are under way, and lets none begin: then no job of the source is locked by anybody.
SELECT FROM sources WHERE id = %(source_id)s FOR UPDATE;

-- name: cancel_look
-- why: first the look, so that it gets no further job.
WITH look AS (
    UPDATE looks SET state = 'cancelled', again = false, finished_at = now()
    WHERE source_id = %(source_id)s AND state IN ('queued', 'listing', 'running')
    RETURNING id, source_id
), audit AS (
    INSERT INTO audit_trail (actor, action, subject)
    SELECT %(cancelled_by)s, 'cancel re-index', s.name FROM look JOIN sources s ON s.id = look.source_id
)
SELECT id FROM look;

-- name: cancel_jobs
-- why: whoever holds one of them finds its lease gone, and writes nothing.
UPDATE jobs SET state = 'cancelled', lease_until = NULL, error = NULL, finished_at = now()
WHERE look_id = %(look_id)s AND state IN ('queued', 'running');

-- name: forget_cursor
-- why: what was listed and then cancelled is listed again, whatever the source has to say of what changed since.
UPDATE sources SET cursor = NULL WHERE id = %(source_id)s;

-- name: add_due_looks
-- why: every source is looked at now and then, also when nobody asks.
WITH look AS (
    INSERT INTO looks (source_id, requested_by, retry_failed, accept_removals)
    SELECT s.id, %(requested_by)s, false, false FROM sources s
    WHERE NOT EXISTS (
        SELECT FROM looks l WHERE l.source_id = s.id AND (l.finished_at IS NULL
            OR l.requested_at > now() - make_interval(secs => coalesce(s.look_interval_s, %(interval_s)s)))
    )
    ON CONFLICT (source_id) WHERE state IN ('queued', 'listing', 'running') DO NOTHING
    RETURNING id
)
INSERT INTO jobs (look_id, kind) SELECT id, 'list' FROM look;

-- name: forget_old_looks
-- why: the ledger is no archive; each source keeps its last look.
DELETE FROM looks l WHERE finished_at < now() - interval '30 days'
    AND EXISTS (SELECT FROM looks newer WHERE newer.source_id = l.source_id AND newer.id > l.id);

-- name: close_looks
-- why: a look is done when all of its jobs have ended. If somebody asked while it was under way, it lists again: what they
-- changed may have been listed before.
WITH listed_again AS (
    UPDATE looks l SET state = 'queued', again = false
    WHERE state = 'running' AND again
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = l.id AND j.state IN ('queued', 'running'))
    RETURNING id
), job AS (
    INSERT INTO jobs (look_id, kind) SELECT id, 'list' FROM listed_again
)
UPDATE looks l SET state = 'done', finished_at = now()
WHERE state = 'running' AND NOT again
    AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = l.id AND j.state IN ('queued', 'running'))
RETURNING version_id;

-- name: is_work_due
-- why: the ledger is asked every few seconds, and mostly has nothing.
SELECT EXISTS (
    SELECT FROM jobs WHERE state IN ('queued', 'running')
        AND ((state = 'queued' AND due_at <= now()) OR (state = 'running' AND lease_until < now()))
) OR EXISTS (
    SELECT FROM looks l WHERE state = 'running'
        AND NOT EXISTS (SELECT FROM jobs j WHERE j.look_id = l.id AND j.state IN ('queued', 'running'))
) AS due;

-- name: read_look
-- why: counted from the jobs themselves, so that progress can never drift from the truth. Who may see the source may
-- read it, so it names no document that fewer may see.
SELECT l.id, s.name AS source, l.state, l.met,
    extract(epoch FROM coalesce(l.finished_at, now()) - l.requested_at)::float8 AS seconds,
    extract(epoch FROM now() - min(j.finished_at) FILTER (WHERE j.outcome = 'listed'))::float8 AS running_s,
    coalesce(l.error, max(j.error) FILTER (WHERE j.state = 'queued')) AS error,
    count(*) FILTER (WHERE j.kind <> 'list' AND j.state <> 'cancelled') AS total,
    count(*) FILTER (WHERE j.kind <> 'list' AND j.state IN ('done', 'failed')) AS done,
    count(*) FILTER (WHERE j.outcome = 'added') AS added,
    count(*) FILTER (WHERE j.outcome = 'changed') AS changed,
    count(*) FILTER (WHERE j.outcome = 'removed') AS removed,
    count(*) FILTER (WHERE j.outcome = 'unchanged') + l.unchanged AS unchanged,
    count(*) FILTER (WHERE j.outcome = 'failed' AND j.kind <> 'list') AS failed,
    coalesce(sum(j.chunks_embedded), 0) AS chunks_embedded,
    coalesce(sum(j.chunks_kept), 0) + l.unchanged_chunks AS chunks_kept,
    coalesce(sum(j.chunks_removed), 0) AS chunks_removed,
    l.notes || ARRAY(SELECT f.path || ': ' || f.error FROM jobs f JOIN documents d ON d.id = f.document_id
        WHERE f.look_id = l.id AND f.state = 'failed' AND f.kind <> 'list'
            AND (d.workspace, d.audience) = (s.workspace, s.audience)
        ORDER BY f.path LIMIT %(shown)s) AS failures
FROM looks l JOIN sources s ON s.id = l.source_id LEFT JOIN jobs j ON j.look_id = l.id
WHERE l.id = %(look_id)s
GROUP BY l.id, s.id;
