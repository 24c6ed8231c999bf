-- name: find_standings
-- why: as a viewer; what has expired, was retired or is not for them is not among the rows.
SELECT * FROM standings WHERE id = ANY(%(ids)s) AND state = 'indexed';

-- name: list_standings
-- why: every document of a source, for whoever runs it.
SELECT * FROM standings WHERE source_id = %(source_id)s ORDER BY path;

-- name: list_failures
-- why: for whoever runs it. A source whose listing failed stands for all that it could not list; a document whose source did
-- not answer keeps its passages, and is tried with every look.
SELECT source, path, failure AS reason, failed_at FROM standings
WHERE state = 'failed' AND (%(source)s::text IS NULL OR source = %(source)s)
UNION ALL
SELECT st.source, st.path, j.error, j.finished_at
FROM standings st JOIN jobs j ON j.document_id = st.id
WHERE st.state = 'indexed' AND j.state = 'failed' AND (%(source)s::text IS NULL OR st.source = %(source)s)
    AND j.look_id = (SELECT max(id) FROM looks WHERE source_id = st.source_id)
UNION ALL
SELECT s.name, '', l.error, l.finished_at
FROM sources s JOIN LATERAL (SELECT * FROM looks WHERE source_id = s.id ORDER BY id DESC LIMIT 1) l ON l.state = 'failed'
WHERE %(source)s::text IS NULL OR s.name = %(source)s
ORDER BY source, path;

-- name: read_gauges
-- why: what a scrape tells of each source, by its number: names are not for whoever may scrape.
SELECT s.id AS source_id,
    count(d.id) FILTER (WHERE d.state = 'new') AS new,
    count(d.id) FILTER (WHERE d.state = 'indexed') AS indexed,
    count(d.id) FILTER (WHERE d.state = 'failed') AS failed,
    count(d.id) FILTER (WHERE d.state = 'retired') AS retired,
    count(d.id) FILTER (WHERE d.state = 'indexed' AND d.review_by <= now()) AS due,
    count(d.id) FILTER (WHERE d.state = 'indexed' AND d.expires_at <= now()) AS expired,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY d.lag_s) FILTER (WHERE d.state = 'indexed') AS lags,
    (SELECT count(*) FROM jobs j JOIN looks l ON l.id = j.look_id
        WHERE l.source_id = s.id AND j.state IN ('queued', 'running')) AS open_jobs,
    (SELECT extract(epoch FROM now() - max(l.listed_at))::float8 FROM looks l
        WHERE l.source_id = s.id AND l.state IN ('running', 'done')) AS listed_s
FROM sources s LEFT JOIN standings d ON d.source_id = s.id
GROUP BY s.id ORDER BY s.id;
