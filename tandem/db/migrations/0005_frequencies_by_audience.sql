-- How common a term is counts for who may see the chunks: else a score would tell that other audiences use the word.
DROP TABLE term_frequencies;
CREATE TABLE term_frequencies (
    version_id int NOT NULL REFERENCES index_versions,
    workspace text NOT NULL,
    audience text NOT NULL,
    term int NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (version_id, workspace, audience, term)
);
-- The text form counts dimensions from 1: {7:0.5,12:1.25}/1000000000.
INSERT INTO term_frequencies (version_id, workspace, audience, term, chunks)
SELECT version_id, workspace, audience, split_part(pair, ':', 1)::int - 1, count(*)
FROM chunks, regexp_split_to_table(substring(terms::text FROM '\{(.+)\}'), ',') AS pair
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4;

-- The number that those are relative to.
CREATE TABLE chunk_counts (
    version_id int NOT NULL REFERENCES index_versions,
    workspace text NOT NULL,
    audience text NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (version_id, workspace, audience)
);
INSERT INTO chunk_counts (version_id, workspace, audience, chunks)
SELECT version_id, workspace, audience, count(*) FROM chunks GROUP BY 1, 2, 3;

GRANT SELECT ON term_frequencies, chunk_counts TO tandem_reader;
ALTER TABLE term_frequencies ENABLE ROW LEVEL SECURITY;
ALTER TABLE chunk_counts ENABLE ROW LEVEL SECURITY;
CREATE POLICY viewer_reads ON term_frequencies FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
);
CREATE POLICY viewer_reads ON chunk_counts FOR SELECT TO tandem_reader USING (
    (SELECT viewer_workspace()) IS NOT NULL
    AND workspace IN ('*', (SELECT viewer_workspace()))
    AND (audience = 'everyone' OR audience = ANY ((SELECT viewer_audiences())::text[]))
);

-- A role that only reads what a viewer may see has no business with how much there is in all.
REVOKE SELECT ON index_versions FROM tandem_reader;
GRANT SELECT (id, pipeline, is_current, created_at) ON index_versions TO tandem_reader;
