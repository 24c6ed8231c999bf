-- name: lease_job
-- why: SKIP LOCKED lets many workers take different jobs without waiting for each other; the token fences off the last holder.
-- Looks take turns: a short one is not kept waiting by a long one that began before it.
WITH due AS (
    SELECT id FROM jobs
    WHERE state IN ('queued', 'running')
        AND ((state = 'queued' AND due_at <= now()) OR (state = 'running' AND lease_until < now()))
    ORDER BY turn, due_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE jobs SET state = 'running', token = token + 1, attempts = attempts + 1, worker = %(worker)s,
        lease_until = now() + make_interval(secs => %(lease_s)s), heartbeat_at = now()
    FROM due WHERE jobs.id = due.id
    RETURNING jobs.*
)
SELECT j.*, l.version_id, d.content_hash, s.id AS source_id, s.name, s.kind AS source_kind, s.location, s.workspace,
    s.audience, s.options
FROM leased j JOIN looks l ON l.id = j.look_id JOIN sources s ON s.id = l.source_id
    LEFT JOIN documents d ON d.id = j.document_id;

-- name: prolong
-- why: a long job is not a dead one.
UPDATE jobs SET lease_until = now() + make_interval(secs => %(lease_s)s), heartbeat_at = now()
WHERE id = %(job_id)s AND token = %(token)s AND state = 'running';

-- name: lock_source
-- why: the removal of a source takes this lock first and for itself alone.
SELECT FROM sources WHERE id = %(source_id)s FOR KEY SHARE;

-- name: lock_job
-- why: whoever was overtaken by another lease finds no row, and writes nothing.
SELECT id FROM jobs WHERE id = %(job_id)s AND token = %(token)s AND state = 'running' FOR UPDATE;

-- name: finish_job
-- why: the outcome, for the look's counts.
UPDATE jobs SET state = 'done', outcome = %(outcome)s, chunks_embedded = %(embedded)s, chunks_kept = %(kept)s,
    chunks_removed = %(removed)s, error = NULL, lease_until = NULL, finished_at = now()
WHERE id = %(job_id)s;

-- name: fail_job
-- why: the reason, for the report.
UPDATE jobs SET state = 'failed', outcome = 'failed', error = %(reason)s, chunks_removed = %(removed)s,
    lease_until = NULL, finished_at = now()
WHERE id = %(job_id)s;

-- name: put_back
-- why: with a delay, so that what is failing is not asked all the time; `waits` gives the attempt back.
UPDATE jobs SET state = 'queued', due_at = now() + make_interval(secs => %(delay_s)s), lease_until = NULL,
    attempts = attempts - %(waits)s, waits = waits + %(waits)s, error = %(reason)s
WHERE id = %(job_id)s AND token = %(token)s AND state = 'running';
