-- What the decision learns from names documents and adapters, so that a rebuilt database or a rollback misleads nobody.

-- Examples from chat named the documents that they stand on by address; snapshots know a document by source and path.
UPDATE examples SET documents = (
    SELECT jsonb_agg(seen || jsonb_build_object('path', coalesce(d.path, seen ->> 'path')) ORDER BY place)
    FROM jsonb_array_elements(documents) WITH ORDINALITY AS named (seen, place)
    LEFT JOIN documents d ON d.id = (seen ->> 'id')::bigint AND d.uri = seen ->> 'path'
)
WHERE place LIKE 'answer:%' AND documents <> '[]';

-- Whose memory a fit's `p_direct` was fitted to (NULL: the model alone): that of the grades that it was made of.
ALTER TABLE router_fits ADD COLUMN adapter text;
UPDATE router_fits SET adapter = (
    SELECT adapter FROM graded_questions WHERE direct_right IS NOT NULL AND graded_at <= made_at ORDER BY graded_at DESC LIMIT 1
);

-- A thumb down on the documents' answer tells nothing of memory. `grounded_right` is what the reader gave its answer, and 0 where
-- it declined. What was graded as if all that was sent were right is graded again, a night's share at a time.
ALTER TABLE graded_questions DROP CONSTRAINT graded_questions_check, ADD CONSTRAINT graded_questions_check CHECK (
    (grounded_right IS NULL) = (graded_by = 'nothing') AND (direct_right IS NULL OR graded_by <> 'nothing'));
DELETE FROM graded_questions WHERE graded_by IN ('support', 'nothing');
