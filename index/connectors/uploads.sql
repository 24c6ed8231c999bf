-- name: list_uploads
-- why: without the bytes; the hash is the sign of change.
SELECT name, hash, uploaded_at FROM uploads WHERE source_id = %(source_id)s;

-- name: read_upload
-- why: any worker reads it, wherever it was uploaded.
SELECT content, hash, uploaded_at FROM uploads WHERE source_id = %(source_id)s AND name = %(name)s;
