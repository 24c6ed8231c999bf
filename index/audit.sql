-- name: list_entries
-- why: newest first, as one looks for what happened last.
SELECT at, actor, action, subject FROM audit_trail ORDER BY id DESC LIMIT %(limit)s;
