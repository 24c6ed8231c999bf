-- name: read_passages
-- why: run as a viewer, it sees just what search can find.
SELECT d.path, c.position, c.heading, c.text, c.hash
FROM chunks c JOIN documents d ON d.id = c.document_id JOIN index_versions v ON v.id = c.version_id AND v.is_current;

-- name: read_changes
-- why: of each document that a look brought up to date, the chunks, and how long the folder had said it by then.
SELECT j.outcome, j.chunks_embedded AS embedded, j.chunks_kept AS kept,
    extract(epoch FROM d.indexed_at - d.changed_at)::float8 AS lag_s
FROM jobs j JOIN documents d ON d.id = j.document_id
WHERE j.look_id = %(look_id)s AND j.outcome IN ('added', 'changed');
