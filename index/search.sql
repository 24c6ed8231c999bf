-- name: read_version
-- why: the version that is searched, and how common the query's terms are among what the viewer may see.
SELECT v.id, v.pipeline, f.terms, f.found,
    (SELECT coalesce(sum(chunks), 0) FROM chunk_counts WHERE version_id = v.id)::bigint AS chunks
FROM index_versions v, LATERAL (
    SELECT coalesce(array_agg(term), '{}') AS terms, coalesce(array_agg(found), '{}') AS found
    FROM (
        SELECT term, sum(chunks)::bigint AS found FROM term_frequencies
        WHERE version_id = v.id AND term = ANY(%(terms)s::int[])
        GROUP BY term HAVING sum(chunks) > 0
    ) AS counted
) f
WHERE v.is_current;

-- name: search
-- why: the best of either side are scored on both, exactly, and combined; row-level security binds every row read.
-- The cut to k comes before the joins: on a table without statistics the planner else repeats all of it for each document.
WITH dense AS (
    SELECT id FROM chunks WHERE version_id = %(version_id)s
    ORDER BY embedding <=> %(embedding)s LIMIT %(candidates)s
), lexical AS (
    SELECT id FROM chunks WHERE version_id = %(version_id)s AND %(has_terms)s
    ORDER BY terms <#> %(terms)s LIMIT %(candidates)s
), scored AS (
    SELECT c.*, 1 - (c.embedding <=> %(embedding)s) AS cosine, -(c.terms <#> %(terms)s) AS bm25
    FROM chunks c WHERE c.id IN (SELECT id FROM dense UNION SELECT id FROM lexical)
), best AS MATERIALIZED (
    SELECT *, %(dense_weight)s * (1 + cosine) / 2
        + %(lexical_weight)s * coalesce(bm25 / nullif(max(bm25) OVER (), 0), 0) AS score
    FROM scored
    ORDER BY score DESC, id
    LIMIT %(k)s
)
SELECT b.id, b.document_id, s.name AS source, d.title, b.heading, d.uri, b.text, b.position, b.score, b.cosine, b.bm25,
    b.terms, d.changed_at, d.indexed_at
FROM best b JOIN documents d ON d.id = b.document_id JOIN sources s ON s.id = d.source_id
ORDER BY b.score DESC, b.id;
