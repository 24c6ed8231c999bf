-- name: read_size
-- why: what the chunks take on disk, with their indexes and what moved out of the rows.
SELECT count(*) AS chunks, pg_total_relation_size('chunks') AS bytes FROM chunks;
