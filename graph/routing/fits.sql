-- name: find_serving
-- why: the newest promotion counts; a rollback takes it away, and the one before counts again
SELECT id, models, adapter FROM router_fits WHERE promoted_at IS NOT NULL ORDER BY promoted_at DESC, id DESC LIMIT 1

-- name: insert_fit
-- why: one that did not pass is kept too, so that its report can be read and a person may promote it
INSERT INTO router_fits (models, report, adapter, passed, promoted_at, promoted_by)
VALUES (%(models)s::jsonb, %(report)s::jsonb, %(adapter)s, %(passed)s, CASE WHEN %(passed)s THEN now() END,
    CASE WHEN %(passed)s THEN 'the gate' END)
RETURNING id

-- name: list_fits
-- why: a person reads what the gate said
SELECT id, passed, report, made_at, promoted_at, promoted_by, adapter FROM router_fits ORDER BY id DESC LIMIT 50

-- name: promote
-- why: a person's word is above the gate's, and carries their name
UPDATE router_fits SET promoted_at = clock_timestamp(), promoted_by = %(by)s WHERE id = %(id)s

-- name: withdraw_newest
-- why: a rollback; what was promoted before is in service again
UPDATE router_fits SET promoted_at = NULL WHERE id = (
    SELECT id FROM router_fits WHERE promoted_at IS NOT NULL ORDER BY promoted_at DESC, id DESC LIMIT 1
)
