-- A look can be cancelled. `listed_at`: when its listing began, so when what it found was noticed.
ALTER TABLE looks DROP CONSTRAINT looks_state_check, ADD CONSTRAINT looks_state_check
    CHECK (state IN ('queued', 'listing', 'running', 'done', 'failed', 'cancelled')),
    ADD COLUMN listed_at timestamptz;
ALTER TABLE jobs DROP CONSTRAINT jobs_state_check, ADD CONSTRAINT jobs_state_check
    CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled'));

-- What holds for all of a source's documents that do not say otherwise themselves.
ALTER TABLE sources ADD COLUMN expires_at timestamptz, ADD COLUMN review_by timestamptz;

-- `versions` are the index versions that hold the document as it stands. `arose_at`, `noticed_at` and `searchable_at` are of
-- the last change of its content: when its source made it, when a look noticed it, when it could be found. A retired document stays out of the index until a person restores it. `refused`: failed for its licence.
-- `confirmed_until`: a person has said that it holds at least until then. `admitted_at`: when it was let in again, having
-- been retired or refused: before that it was not late.
ALTER TABLE documents DROP CONSTRAINT documents_state_check, ADD CONSTRAINT documents_state_check
    CHECK (state IN ('new', 'indexed', 'failed', 'retired')),
    ADD COLUMN versions int[] NOT NULL DEFAULT '{}',
    ADD COLUMN arose_at timestamptz,
    ADD COLUMN noticed_at timestamptz,
    ADD COLUMN searchable_at timestamptz,
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN refused boolean NOT NULL DEFAULT false,
    ADD COLUMN confirmed_until timestamptz,
    ADD COLUMN admitted_at timestamptz;
UPDATE documents SET versions = ARRAY[version_id] WHERE version_id IS NOT NULL;
ALTER TABLE documents DROP COLUMN version_id;

-- `is_held`: a person chose it, so no look moves search on to a newer one. `left_at`: when search left it.
ALTER TABLE index_versions ADD COLUMN is_held boolean NOT NULL DEFAULT false, ADD COLUMN left_at timestamptz;

DROP POLICY viewer_reads ON documents;
CREATE POLICY viewer_reads ON documents FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
    AND (expires_at IS NULL OR expires_at > now())
    AND source_id NOT IN (SELECT id FROM sources WHERE expires_at <= now())
);

-- How each document stands, its source's word counted in; whoever reads it is bound by the policies of the tables.
-- The lag is unknown for what was indexed before it was measured. A file older than its source is not late for its age.
CREATE VIEW standings WITH (security_invoker = true) AS
SELECT d.id, d.source_id, s.name AS source, d.path, d.title, d.uri, d.workspace, d.audience, d.state, d.failure,
    coalesce(d.owner, s.owner) AS owner, coalesce(d.licence, s.licence) AS licence,
    least(d.expires_at, s.expires_at) AS expires_at,
    coalesce(greatest(d.review_by, CASE WHEN d.review_by IS NOT NULL THEN d.confirmed_until END), s.review_by) AS review_by,
    encode(d.content_hash, 'hex') AS revision,
    coalesce(d.arose_at, d.changed_at) AS changed_at, d.noticed_at, d.searchable_at, d.indexed_at, d.failed_at,
    CASE WHEN d.arose_at IS NOT NULL AND d.searchable_at IS NOT NULL
        THEN greatest(extract(epoch FROM d.searchable_at - greatest(d.arose_at, s.added_at, d.admitted_at)), 0)::float8 END AS lag_s
FROM documents d JOIN sources s ON s.id = d.source_id;
GRANT SELECT ON standings TO tandem_reader;

-- An empty list allows every licence; with one, what states no licence is not on it.
CREATE FUNCTION is_allowed(licence text, allowed text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    $$ SELECT allowed = '{}' OR coalesce(lower(btrim(licence)) = ANY (allowed), false) $$;

-- One row for each time that an owner is to be told that a document, or a source as a whole, is due for review.
CREATE TABLE review_notices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id int NOT NULL REFERENCES sources ON DELETE CASCADE,
    document_id bigint REFERENCES documents ON DELETE CASCADE,
    owner text NOT NULL,
    due_at timestamptz NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (source_id, document_id, owner, due_at)
);
CREATE INDEX untold_review_notices ON review_notices (id) WHERE told_at IS NULL;
