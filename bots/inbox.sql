-- name: accept
-- why: one statement decides who saw the event first, however often and wherever it is delivered
INSERT INTO inbox (id, surface, kind, conversation, payload)
VALUES (%(id)s, %(surface)s, %(kind)s, %(conversation)s, %(payload)s)
ON CONFLICT (id) DO NOTHING

-- name: claim
-- why: the oldest event that nobody holds and that waits for no question of its own conversation
WITH next AS (
    SELECT event.id
    FROM inbox AS event
    WHERE event.surface = %(surface)s
      AND event.kind = ANY(%(kinds)s)
      AND event.state <> 'done'
      AND (event.lease_until IS NULL OR event.lease_until < now())
      AND NOT EXISTS (
          SELECT FROM inbox AS other
          WHERE other.surface = event.surface
            AND other.conversation = event.conversation
            AND other.kind = 'question'
            AND other.state <> 'done'
            AND other.id <> event.id
            AND (other.arrival < event.arrival OR other.state = 'answering')
      )
    ORDER BY event.arrival
    LIMIT 1
    FOR UPDATE OF event SKIP LOCKED
)
UPDATE inbox
SET state = 'answering',
    owner = %(owner)s,
    fence = fence + 1,
    attempts = attempts + 1,
    lease_until = now() + make_interval(secs => %(lease_s)s)
FROM next
WHERE inbox.id = next.id
RETURNING inbox.id, inbox.payload, inbox.fence, inbox.attempts, inbox.reply,
          extract(epoch FROM now() - inbox.accepted_at)::float8 AS age_s

-- name: renew
-- why: keeps the lease of an answer that is still being written; touches nothing once somebody else has it
UPDATE inbox
SET lease_until = now() + make_interval(secs => %(lease_s)s)
WHERE id = %(id)s AND fence = %(fence)s AND state = 'answering'

-- name: record_reply
-- why: from here on a crash leads back to the reply that people already see
UPDATE inbox
SET reply = %(reply)s
WHERE id = %(id)s AND fence = %(fence)s AND state = 'answering'

-- name: finish
-- why: the event is answered, by this holder and no other
UPDATE inbox
SET state = 'done', answer_id = %(answer_id)s, fault = %(fault)s, lease_until = NULL, done_at = now()
WHERE id = %(id)s AND fence = %(fence)s AND state = 'answering'

-- name: release
-- why: given back in good order; unless it failed, the attempt does not count as a crash
UPDATE inbox
SET state = 'accepted', attempts = attempts - (NOT %(failed)s)::int, lease_until = now() + make_interval(secs => %(delay_s)s)
WHERE id = %(id)s AND fence = %(fence)s AND state = 'answering'

-- name: adopt
-- why: the only process that could answer these is known to be dead, so another takes them at once
UPDATE inbox
SET surface = %(heir)s, lease_until = NULL
WHERE surface = %(surface)s AND state <> 'done'
RETURNING id

-- name: prune
-- why: no platform redelivers after a month, and what people wrote is not kept for longer than it is needed
DELETE FROM inbox WHERE state = 'done' AND done_at < now() - interval '30 days'
