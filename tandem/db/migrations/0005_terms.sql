-- Search by words looks at a passage and at the document that it stands in; and an index that grew large is searched by indexes.

-- BM25's weights of a whole document, one row for each index version that it is in. Who may read it is copied from the
-- document, as in `chunks`. Kept out of `documents`, whose rows are read where no term is wanted.
CREATE TABLE document_terms (
    document_id bigint NOT NULL REFERENCES documents ON DELETE CASCADE,
    version_id int NOT NULL REFERENCES index_versions,
    terms sparsevec(1000000000) NOT NULL,
    workspace text NOT NULL,
    audience text NOT NULL,
    PRIMARY KEY (document_id, version_id)
);
ALTER TABLE document_terms ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer_reads ON document_terms FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
);
GRANT SELECT ON document_terms TO tandem_reader;

-- How rare a term is among documents and among chunks, for each group of people who may see them: else a score would tell
-- that other audiences use the word.
DROP TABLE term_frequencies;
CREATE TABLE term_frequencies (
    version_id int NOT NULL REFERENCES index_versions,
    workspace text NOT NULL,
    audience text NOT NULL,
    term int NOT NULL,
    documents bigint NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (version_id, workspace, audience, term)
);
ALTER TABLE term_frequencies ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer_reads ON term_frequencies FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
);
GRANT SELECT ON term_frequencies TO tandem_reader;

-- What those are relative to. The number of chunks also decides whether each is compared with a question, or an index is
-- asked.
CREATE TABLE index_sizes (
    version_id int NOT NULL REFERENCES index_versions,
    workspace text NOT NULL,
    audience text NOT NULL,
    documents bigint NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (version_id, workspace, audience)
);
INSERT INTO index_sizes
SELECT version_id, workspace, audience, count(DISTINCT document_id), count(*) FROM chunks GROUP BY 1, 2, 3;
ALTER TABLE index_sizes ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer_reads ON index_sizes FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
);
GRANT SELECT ON index_sizes TO tandem_reader;
ALTER TABLE index_versions DROP COLUMN chunks;
-- A role that only reads what a viewer may see is told no more of a version than it needs.
REVOKE SELECT ON index_versions FROM tandem_reader;
GRANT SELECT (id, pipeline, is_current, created_at) ON index_versions TO tandem_reader;
CREATE INDEX chunks_by_audience ON chunks (version_id, workspace, audience);

-- The dimensions that a chunk's `terms` has, for an inverted index: only chunks that share a term with the question are scored.
ALTER TABLE chunks ADD COLUMN term_ids int[] NOT NULL DEFAULT '{}';
ALTER TABLE chunks ALTER COLUMN term_ids SET STORAGE MAIN;
-- Written as text, a sparse vector counts its dimensions from 1.
UPDATE chunks SET term_ids = ARRAY(
    SELECT split_part(entry, ':', 1)::int - 1 FROM unnest(string_to_array(trim(split_part(terms::text, '/', 1), '{}'), ',')) AS entry
);
CREATE INDEX chunks_by_term ON chunks USING gin (term_ids) WITH (fastupdate = off);

-- Row-level security keeps `&&` from using an index, as an operator might tell of rows that must not be seen. So the
-- candidates are found with the owner's rights, under the same conditions as the policy's; what search returns of
-- them is read under the policy again.
CREATE FUNCTION find_lexical_candidates(version int, shared int[], question sparsevec, n int) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    own_workspace text := viewer_workspace();
    own_audiences text[] := viewer_audiences();
BEGIN
    RETURN QUERY
    SELECT id FROM chunks
    WHERE version_id = version AND term_ids && shared AND own_workspace IS NOT NULL
        AND workspace IN ('*', own_workspace) AND audience = ANY (own_audiences || 'everyone'::text)
        AND (expires_at IS NULL OR expires_at > now())
    ORDER BY terms <#> question LIMIT n;
END
$$;
REVOKE ALL ON FUNCTION find_lexical_candidates FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_lexical_candidates TO tandem_reader;

-- What an older version counts of its terms, until the next look has built a new one.
INSERT INTO term_frequencies
SELECT version_id, workspace, audience, term, count(DISTINCT document_id), count(*) FROM chunks, unnest(term_ids) AS term
GROUP BY 1, 2, 3, 4;
