-- name: draw_passages
-- why: as a viewer; a few of each document, in an order that has nothing to do with what they say
SELECT c.document_id, s.source, s.path, s.title, c.heading, c.text, s.revision, s.licence, s.indexed_at
FROM (
    SELECT DISTINCT ON (document_id, part) *
    FROM (
        SELECT c.*, ntile(%(each)s) OVER (PARTITION BY c.document_id ORDER BY c.position) AS part
        FROM chunks c
        WHERE c.version_id = (SELECT id FROM index_versions WHERE is_current) AND length(c.text) >= %(shortest)s
    ) AS c
    ORDER BY document_id, part, length(text) DESC
) AS c
JOIN standings s ON s.id = c.document_id AND s.state = 'indexed' AND s.revision IS NOT NULL
WHERE %(source)s::text IS NULL OR s.source = %(source)s
ORDER BY md5(c.hash || int4send(c.position))
LIMIT %(most)s
