-- name: find_by_question
-- why: the same event asked again gets the answer that was already given, where it was given
SELECT * FROM answers WHERE question_id = %(question_id)s AND conversation = %(conversation)s

-- name: find_last
-- why: /why explains the newest answer of a conversation
SELECT * FROM answers WHERE conversation = %(conversation)s ORDER BY asked_at DESC LIMIT 1

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
