-- While a new index version is built, search reads the one before. A document that changes meanwhile has the new pipeline's
-- passages there too, in place of those that the old pipeline would have made. They are told apart, so that no vector is taken
-- from them for the old pipeline, and that it makes its own should it come back.
ALTER TABLE chunks ADD COLUMN stands_in boolean NOT NULL DEFAULT false;

-- A job's place within its look: looks take turns, so that one page that was just pushed does not wait for ten thousand files
-- of another source.
ALTER TABLE jobs ADD COLUMN turn int NOT NULL DEFAULT 0;
DROP INDEX open_jobs;
CREATE INDEX open_jobs ON jobs (turn, due_at, id) WHERE state IN ('queued', 'running');

-- How many documents a listing that is under way has met.
ALTER TABLE looks ADD COLUMN met int NOT NULL DEFAULT 0;

-- A person may confirm a document whose date is its source's: it then holds longer than the others.
CREATE OR REPLACE VIEW standings WITH (security_invoker = true) AS
SELECT d.id, d.source_id, s.name AS source, d.path, d.title, d.uri, d.workspace, d.audience, d.state, d.failure,
    coalesce(d.owner, s.owner) AS owner, coalesce(d.licence, s.licence) AS licence,
    least(d.expires_at, s.expires_at) AS expires_at,
    CASE WHEN coalesce(d.review_by, s.review_by) IS NOT NULL
        THEN greatest(coalesce(d.review_by, s.review_by), d.confirmed_until) END AS review_by,
    encode(d.content_hash, 'hex') AS revision,
    coalesce(d.arose_at, d.changed_at) AS changed_at, d.noticed_at, d.searchable_at, d.indexed_at, d.failed_at,
    CASE WHEN d.arose_at IS NOT NULL AND d.searchable_at IS NOT NULL
        THEN greatest(extract(epoch FROM d.searchable_at - greatest(d.arose_at, s.added_at, d.admitted_at)), 0)::float8 END AS lag_s
FROM documents d JOIN sources s ON s.id = d.source_id;

-- Written for every document at every look, and read by nobody: when a source was last listed is in its looks.
ALTER TABLE documents DROP COLUMN seen_at;
