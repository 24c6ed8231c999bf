-- name: draw_next
-- why: thumbs and corrections choose what to grade; then stale weights, then close calls, mixed with chance so that what the
-- router is sure of is looked at too. What was graded comes again when people say something new of it, or with a new adapter.
SELECT a.id, a.question, a.standalone, a.answer, a.route, a.workspace, a.audiences, c.text AS correction, f.ups, f.downs
FROM answers a
LEFT JOIN LATERAL (
    SELECT text, given_at FROM corrections WHERE answer_id = a.id ORDER BY given_at DESC LIMIT 1) c ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE verdict = 'up') AS ups, count(*) FILTER (WHERE verdict = 'down') AS downs,
        max(given_at) AS given_at
    FROM feedback WHERE answer_id = a.id) f ON true
LEFT JOIN graded_questions g ON g.answer_id = a.id
WHERE a.workspace IS NOT NULL AND a.route <> 'asked' AND a.conversation NOT LIKE 'trial:%%'
    AND a.inputs #>> '{inputs,question,small_talk}' = 'false' AND a.inputs #>> '{inputs,question,task}' = 'false'
    AND (g.answer_id IS NULL OR g.graded_at < greatest(c.given_at, f.given_at)
        OR g.adapter IS DISTINCT FROM %(adapter)s)
ORDER BY c.text IS NULL, f.given_at IS NULL, g.answer_id IS NOT NULL,
    a.inputs #>> '{inputs,staleness,document_id}' IS NULL,
    abs(coalesce((a.inputs ->> 'p_grounded')::float8 - (a.inputs ->> 'p_direct')::float8, 0)) + random() / 2
LIMIT 1

-- name: count_tonight
-- why: a night has a quota, and a worker that was killed goes on where it was
SELECT count(*) AS graded FROM graded_questions WHERE graded_at > now() - interval '20 hours'

-- name: keep_grade
-- why: a later grade replaces an earlier one
INSERT INTO graded_questions
    (answer_id, embedding, workspace, audiences, inputs, adapter, direct_right, grounded_right, graded_by)
SELECT id, %(embedding)s::real[]::halfvec(384), workspace, audiences, %(inputs)s::jsonb, %(adapter)s, %(direct_right)s,
    %(grounded_right)s, %(graded_by)s
FROM answers WHERE id = %(answer_id)s
ON CONFLICT (answer_id) DO UPDATE SET embedding = excluded.embedding, inputs = excluded.inputs,
    adapter = excluded.adapter, direct_right = excluded.direct_right, grounded_right = excluded.grounded_right,
    graded_by = excluded.graded_by, graded_at = now()

-- name: keep_untried
-- why: what cannot be answered again would be drawn, and end the night, every night
INSERT INTO graded_questions (answer_id, embedding, workspace, audiences, inputs, adapter, graded_by)
SELECT id, array_fill(0, ARRAY[384])::halfvec(384), workspace, audiences, inputs -> 'inputs', %(adapter)s, 'nothing'
FROM answers WHERE id = %(answer_id)s
ON CONFLICT (answer_id) DO UPDATE SET adapter = excluded.adapter, direct_right = NULL, grounded_right = NULL,
    graded_by = 'nothing', graded_at = now()

-- name: drop_trial
-- why: a trial's answer is nobody's; what it leaves is how sure its reader was
DELETE FROM answers WHERE id = %(id)s RETURNING (inputs ->> 'p_answer')::float8 AS p_answer

-- name: list_graded
-- why: what a fit is made of and judged by, the newest of it
SELECT embedding::real[] AS embedding, workspace, audiences, inputs, direct_right, grounded_right,
    adapter IS NOT DISTINCT FROM %(adapter)s AS is_current
FROM graded_questions WHERE graded_by <> 'nothing' ORDER BY graded_at DESC LIMIT %(most)s

-- name: is_fit_due
-- why: nothing new was graded since the last fit, so a new one would say the same
SELECT EXISTS (SELECT FROM graded_questions
    WHERE graded_by <> 'nothing' AND graded_at > coalesce((SELECT max(made_at) FROM router_fits), '-infinity')) AS is_due

-- name: keep_clash
-- why: the next training learns what the document says now
INSERT INTO clashes (answer_id, document_id, adapter, from_memory, from_documents)
SELECT %(answer_id)s, id, %(adapter)s, %(from_memory)s, %(from_documents)s FROM documents WHERE id = %(document_id)s
ON CONFLICT (answer_id) DO UPDATE SET from_memory = excluded.from_memory, from_documents = excluded.from_documents,
    document_id = excluded.document_id, adapter = excluded.adapter, noticed_at = now()

-- name: list_clashes
-- why: for whoever trains: where the weights are out of date
SELECT a.standalone AS question, k.from_memory, k.from_documents, k.adapter, d.uri, k.noticed_at
FROM clashes k JOIN answers a ON a.id = k.answer_id JOIN documents d ON d.id = k.document_id ORDER BY k.noticed_at DESC

-- name: list_judged
-- why: what people said of what came of each choice, with the probability that the choice had. The route that gave the answer
-- may be another one: a draft from memory that was unsure leads to the documents.
SELECT a.inputs, a.inputs ->> 'chosen' AS route, avg((f.verdict = 'up')::int)::float8 AS liked
FROM answers a JOIN feedback f ON f.answer_id = a.id
WHERE a.inputs ->> 'chosen' IN ('direct', 'grounded') AND a.inputs ? 'propensity'
GROUP BY a.id ORDER BY a.asked_at DESC LIMIT %(most)s
