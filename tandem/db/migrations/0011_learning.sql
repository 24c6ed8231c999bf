-- What the decision learns from names documents and adapters, so that a rebuilt database or a rollback misleads nobody.

-- Examples from chat named the documents that they stand on by address; snapshots know a document by source and path.
UPDATE examples SET documents = (
    SELECT jsonb_agg(seen || jsonb_build_object('path', coalesce(d.path, seen ->> 'path')) ORDER BY place)
    FROM jsonb_array_elements(documents) WITH ORDINALITY AS named (seen, place)
    LEFT JOIN documents d ON d.id = (seen ->> 'id')::bigint AND d.uri = seen ->> 'path'
)
WHERE place LIKE 'answer:%' AND documents <> '[]';
