-- name: read_version
-- why: the version that is searched, how much of it the viewer may see, whether that is most of it, and how common the
-- query's terms are in that.
SELECT v.id, v.pipeline, n.documents, n.chunks, sees_most_of(v.id) AS is_most, f.terms, f.documents_with, f.chunks_with
FROM index_versions v, LATERAL (
    SELECT coalesce(sum(documents), 0)::bigint AS documents, coalesce(sum(chunks), 0)::bigint AS chunks
    FROM index_sizes WHERE version_id = v.id
) n, LATERAL (
    SELECT coalesce(array_agg(term), '{}') AS terms, coalesce(array_agg(documents), '{}') AS documents_with,
        coalesce(array_agg(chunks), '{}') AS chunks_with
    FROM (
        SELECT term, sum(documents)::bigint AS documents, sum(chunks)::bigint AS chunks FROM term_frequencies
        WHERE version_id = v.id AND term = ANY(%(terms)s::int[])
        GROUP BY term HAVING sum(chunks) > 0
    ) AS counted
) f
WHERE v.is_current;

-- name: find_documents
-- why: what the filters leave of what the viewer may see. Passages are then found by their document, so that a document's
-- change of date touches none of their rows. They are counted no further than tells how to search them.
WITH passed AS MATERIALIZED (
    SELECT d.id FROM documents d JOIN sources s ON s.id = d.source_id
    WHERE (%(sources)s::text[] = '{}' OR s.name = ANY(%(sources)s))
        AND (%(languages)s::text[] = '{}' OR d.language = ANY(%(languages)s))
        AND (%(since)s::timestamptz IS NULL OR coalesce(d.arose_at, d.changed_at) >= %(since)s)
)
SELECT coalesce(array_agg(id), '{}') AS documents, (
    SELECT count(*) FROM (
        SELECT FROM passed p JOIN chunks c ON c.document_id = p.id AND c.version_id = %(version_id)s LIMIT %(enough)s
    ) AS few
) AS chunks
FROM passed;

-- name: search
-- why: the best of either side are scored on both, exactly, and combined; row-level security binds every row read. The best
-- documents' best passages then move the question's vector towards them, and all candidates are scored once more.
-- Nothing here is better planned for knowing its parameters, so that it is planned once. The cut to k comes before the
-- joins: on a table without statistics the planner else repeats all of it for each document.
WITH dense AS (
    SELECT id FROM find_nearest_by_comparison(
        %(version_id)s, %(embedding)s, %(candidates)s, %(documents)s::bigint[]
    ) AS id WHERE NOT %(approximate)s
    UNION ALL
    SELECT id FROM find_nearest_by_index(
        %(version_id)s, %(embedding)s, %(candidates)s, %(documents)s::bigint[], %(breadth)s
    ) AS id WHERE %(approximate)s
), lexical AS (
    SELECT id FROM find_lexical_candidates(
        %(version_id)s, %(shared)s, %(terms)s, %(candidates)s, %(documents)s::bigint[]
    ) AS id
), scored AS MATERIALIZED (
    SELECT c.*, 1 - (c.embedding <=> %(embedding)s) AS cosine,
        -(c.terms <#> %(terms)s) - coalesce(t.terms <#> %(document_terms)s, 0) AS bm25
    FROM chunks c LEFT JOIN document_terms t ON t.document_id = c.document_id AND t.version_id = c.version_id
    WHERE c.id = ANY(ARRAY(SELECT id FROM dense UNION SELECT id FROM lexical))
), weighed AS MATERIALIZED (
    SELECT *, %(lexical_weight)s * coalesce(bm25 / nullif(max(bm25) OVER (), 0), 0) AS words FROM scored
), firsts AS (
    SELECT DISTINCT ON (document_id) id, embedding, words + %(dense_weight)s * (1 + cosine) / 2 AS score
    FROM weighed ORDER BY document_id, score DESC, id
), moved AS (
    SELECT coalesce(%(scaled)s + sum(embedding), %(embedding)s) AS question
    FROM (SELECT embedding FROM firsts ORDER BY score DESC, id LIMIT %(feedback)s) f
), best AS MATERIALIZED (
    SELECT w.*, words + %(dense_weight)s * (1 - (w.embedding <=> m.question) / 2) AS score
    FROM weighed w, moved m
    ORDER BY score DESC, id
    LIMIT %(fetched)s
)
SELECT b.id, b.document_id, s.name AS source, d.title, b.heading, d.uri, b.text, b.position, b.score, b.cosine, b.bm25,
    b.term_ids, d.changed_at, d.indexed_at
FROM best b JOIN documents d ON d.id = b.document_id JOIN sources s ON s.id = d.source_id
ORDER BY b.score DESC, b.id;

-- name: find_neighbours
-- why: what stands before and after a hit under the same headings, for whoever reads it; found by the key, and read under the
-- policies.
SELECT h.id, n.position < h.position AS is_before, n.text
FROM unnest(%(ids)s::bigint[], %(documents)s::bigint[], %(positions)s::int[], %(headings)s::text[])
    AS h (id, document_id, position, heading)
JOIN chunks n ON n.document_id = h.document_id AND n.version_id = %(version_id)s AND n.heading = h.heading
    AND n.position IN (h.position - 1, h.position + 1);
