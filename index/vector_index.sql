-- name: is_wanted
-- why: an index costs writes and recall, so there is none while all chunks can be compared. One whose building was broken
-- off is not valid, and is built anew.
SELECT (SELECT coalesce(sum(c.chunks), 0) FROM index_sizes c JOIN index_versions v ON v.id = c.version_id AND v.is_current)
        > %(exact_up_to)s
    AND NOT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('chunks_by_embedding') AND indisvalid) AS wanted;

-- name: begin_building
-- why: one worker builds it; the lock goes with its connection.
SELECT pg_try_advisory_lock(%(lock)s) AS locked;

-- name: enlarge_memory
-- why: a graph that does not fit is built many times slower.
SET maintenance_work_mem = '2GB';

-- name: drop_invalid
-- why: what a broken-off building left behind is written to, and never read.
DROP INDEX CONCURRENTLY IF EXISTS chunks_by_embedding;

-- name: build
-- why: search and workers go on meanwhile.
CREATE INDEX CONCURRENTLY chunks_by_embedding ON chunks USING hnsw (embedding halfvec_cosine_ops)
    WITH (m = 16, ef_construction = 100);

-- name: build_alone
-- why: several processes build in memory that they share, and a container often has little of that (/dev/shm).
SET max_parallel_maintenance_workers = 0;

-- name: reset_memory
-- why: the connection goes back to the pool.
RESET maintenance_work_mem;

-- name: reset_workers
-- why: as the memory.
RESET max_parallel_maintenance_workers;

-- name: end_building
-- why: as the connection lives on.
SELECT pg_advisory_unlock(%(lock)s);
