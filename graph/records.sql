-- name: find_by_question
-- why: the same event asked again gets the answer that was already given, where it was given
SELECT * FROM answers WHERE question_id = %(question_id)s AND conversation = %(conversation)s

-- name: find_last
-- why: /why explains the newest answer of a conversation
SELECT * FROM answers WHERE conversation = %(conversation)s ORDER BY asked_at DESC LIMIT 1

-- name: find_visible
-- why: a button tells which answer it is under; whoever presses it elsewhere than it was given must not learn what it says
SELECT * FROM answers WHERE id = %(id)s AND workspace = %(workspace)s AND audiences <@ %(audiences)s::text[]

-- name: insert_answer
-- why: two replicas that answer one event keep the first answer
INSERT INTO answers (id, question_id, conversation, question, standalone, answer, route, citations, receipt, inputs,
    workspace, audiences)
VALUES (%(id)s, %(question_id)s, %(conversation)s, %(question)s, %(standalone)s, %(answer)s, %(route)s,
        %(citations)s::jsonb, %(receipt)s::jsonb, %(inputs)s::jsonb, %(workspace)s, %(audiences)s)
ON CONFLICT (question_id) DO NOTHING

-- name: delete_answer
-- why: what it cites has expired or was withdrawn since, so the event is answered anew
DELETE FROM answers WHERE id = %(id)s

-- name: upsert_feedback
-- why: one verdict a person; a second click changes it, and a click on an unknown answer touches no row
INSERT INTO feedback (answer_id, person, verdict)
SELECT id, %(person)s, %(verdict)s FROM answers WHERE id = %(answer_id)s
ON CONFLICT (answer_id, person) DO UPDATE SET verdict = excluded.verdict, given_at = now()

-- name: upsert_correction
-- why: what a person would have said instead; their later word replaces the earlier one
INSERT INTO corrections (answer_id, person, text)
SELECT id, %(person)s, %(text)s FROM answers WHERE id = %(answer_id)s
ON CONFLICT (answer_id, person) DO UPDATE SET text = excluded.text, given_at = now()

-- name: list_appraised
-- why: what people corrected, or approved while nobody disapproved, is what an adapter may learn from
SELECT a.id, a.conversation, a.standalone AS question, coalesce(c.text, a.answer) AS wanted, a.citations,
    coalesce(c.person, f.person) AS person, c.text IS NOT NULL AS is_corrected
FROM answers a
LEFT JOIN LATERAL (
    SELECT text, person FROM corrections WHERE answer_id = a.id ORDER BY given_at DESC LIMIT 1) c ON true
LEFT JOIN LATERAL (
    SELECT person FROM feedback WHERE answer_id = a.id AND verdict = 'up' ORDER BY given_at LIMIT 1) f ON true
WHERE c.text IS NOT NULL OR (a.route NOT IN ('asked', 'declined') AND f.person IS NOT NULL
    AND NOT EXISTS (SELECT FROM feedback WHERE answer_id = a.id AND verdict = 'down'))
ORDER BY a.asked_at
