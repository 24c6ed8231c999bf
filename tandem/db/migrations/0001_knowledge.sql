-- Knowledge: sources, their documents, the chunks that search reads, and the ledger of the work on them.
CREATE EXTENSION IF NOT EXISTS vector;

-- A row for every pipeline that an index was built with; search reads the current one.
-- `chunks` counts its chunks, for the IDF.
CREATE TABLE index_versions (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline jsonb NOT NULL UNIQUE,
    chunks bigint NOT NULL DEFAULT 0 CHECK (chunks >= 0),
    is_current boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX one_current_index_version ON index_versions (is_current) WHERE is_current;

CREATE TABLE sources (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    location text NOT NULL,
    workspace text NOT NULL,
    audience text NOT NULL,
    owner text,
    licence text,
    added_by text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);

-- A document is (source, path). `stamp` is the source's own sign of change, the first gate;
-- `content_hash` with `version_id` is the second. `version_id` is the version that it was last indexed in.
CREATE TABLE documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id int NOT NULL REFERENCES sources ON DELETE CASCADE,
    path text NOT NULL,
    workspace text NOT NULL,
    audience text NOT NULL,
    title text NOT NULL,
    uri text NOT NULL,
    owner text,
    licence text,
    stamp text,
    content_hash bytea,
    version_id int REFERENCES index_versions,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'indexed', 'failed')),
    failure text,
    changed_at timestamptz,
    seen_at timestamptz NOT NULL DEFAULT now(),
    indexed_at timestamptz,
    expires_at timestamptz,
    review_by timestamptz,
    UNIQUE (source_id, path)
);

-- workspace, audience and expires_at are the document's, so that each row says by itself who may read it.
-- `hash` is of what was embedded; `terms` holds BM25's term weights, whose other half, the IDF, is in the query.
CREATE TABLE chunks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL REFERENCES documents ON DELETE CASCADE,
    version_id int NOT NULL REFERENCES index_versions,
    position int NOT NULL,
    heading text NOT NULL,
    text text NOT NULL,
    hash bytea NOT NULL,
    embedding halfvec(384) NOT NULL,
    terms sparsevec(1000000000) NOT NULL,
    workspace text NOT NULL,
    audience text NOT NULL,
    expires_at timestamptz,
    UNIQUE (document_id, version_id, position) DEFERRABLE INITIALLY DEFERRED
);
-- Search scans these two: they stay in the row, and the text is what moves out when it grows too long.
ALTER TABLE chunks ALTER COLUMN embedding SET STORAGE PLAIN, ALTER COLUMN terms SET STORAGE MAIN;
CREATE INDEX chunks_by_hash ON chunks (version_id, hash);

-- In how many chunks of a version a term occurs. Written in the order of the terms, so that two writers cannot deadlock.
CREATE TABLE term_frequencies (
    version_id int NOT NULL REFERENCES index_versions,
    term int NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (version_id, term)
);

-- The ledger. A look lists a source; each document that changed or vanished becomes a job.
-- `again`: asked for after its listing had begun, so it lists once more before it is done.
CREATE TABLE looks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id int NOT NULL REFERENCES sources ON DELETE CASCADE,
    version_id int REFERENCES index_versions,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'listing', 'running', 'done', 'failed')),
    requested_by text NOT NULL,
    retry_failed boolean NOT NULL,
    accept_removals boolean NOT NULL,
    again boolean NOT NULL DEFAULT false,
    unchanged int NOT NULL DEFAULT 0,
    unchanged_chunks int NOT NULL DEFAULT 0,
    error text,
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE UNIQUE INDEX one_open_look_per_source ON looks (source_id) WHERE state IN ('queued', 'listing', 'running');
CREATE INDEX looks_by_source ON looks (source_id, id);

-- `token` grows with every lease: who holds an older one may no longer write. `attempts` counts leases that were
-- used up, `waits` those given back because the model server was away.
CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    look_id bigint NOT NULL REFERENCES looks ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('list', 'index', 'remove')),
    document_id bigint REFERENCES documents ON DELETE SET NULL,
    path text NOT NULL DEFAULT '',
    stamp text,
    fault text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    due_at timestamptz NOT NULL DEFAULT now(),
    token bigint NOT NULL DEFAULT 0,
    attempts int NOT NULL DEFAULT 0,
    waits int NOT NULL DEFAULT 0,
    worker text,
    lease_until timestamptz,
    heartbeat_at timestamptz,
    outcome text CHECK (outcome IN ('listed', 'added', 'changed', 'removed', 'unchanged', 'failed')),
    chunks_embedded int NOT NULL DEFAULT 0,
    chunks_kept int NOT NULL DEFAULT 0,
    chunks_removed int NOT NULL DEFAULT 0,
    error text,
    finished_at timestamptz
);
CREATE UNIQUE INDEX one_open_job_per_document ON jobs (document_id) WHERE state IN ('queued', 'running');
CREATE INDEX open_jobs ON jobs (due_at, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_by_look ON jobs (look_id, state);
CREATE INDEX jobs_by_document ON jobs (document_id);

CREATE TABLE audit_trail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL
);

-- Whoever searches does it as this role, which row-level security binds: without a viewer it reads no row.
DO $$
BEGIN
    CREATE ROLE tandem_reader NOLOGIN NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the whole server: another database of it may have made this one
END
$$;
-- Who made a role may hand it out, but not put it on: so also the maker is granted it.
DO $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT tandem_reader TO %I', current_user);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    IF NOT pg_has_role(current_user, 'tandem_reader', 'MEMBER') THEN
        RAISE EXCEPTION 'An administrator has to run: GRANT tandem_reader TO %', current_user;
    END IF;
END
$$;
GRANT SELECT ON index_versions, term_frequencies, sources, documents, chunks, looks TO tandem_reader;

CREATE FUNCTION viewer_workspace() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT nullif(current_setting('tandem.workspace', true), '') $$;
CREATE FUNCTION viewer_audiences() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT nullif(current_setting('tandem.audiences', true), '')::text[] $$;

ALTER TABLE sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE looks ENABLE ROW LEVEL SECURITY;

-- The sub-selects are evaluated once a query, not once a row.
CREATE POLICY viewer_reads ON sources FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
);
CREATE POLICY viewer_reads ON documents FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
    AND (expires_at IS NULL OR expires_at > now())
);
CREATE POLICY viewer_reads ON chunks FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
    AND (expires_at IS NULL OR expires_at > now())
);
CREATE POLICY viewer_reads ON looks FOR SELECT TO tandem_reader USING (
    source_id IN (SELECT id FROM sources)
);
