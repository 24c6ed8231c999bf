-- name: add_example
-- why: what was added before from the same place is the same example; what names no place is known by its words and origin, so
-- that another line or file of the same changes nothing. One whose words changed there needs a person again, and what a person
-- edited since stays. So its words are compared as they were added.
INSERT INTO examples (project, task, messages, added_hash, place, origin, licence, author, documents, state, reviewed_by,
    reviewed_at)
VALUES (%(project)s, %(task)s, %(messages)s::jsonb, md5(%(messages)s::jsonb::text),
        coalesce(%(place)s::text, 'words:' || %(origin)s::text || ':' || md5(%(messages)s::jsonb::text)), %(origin)s,
        %(licence)s, %(author)s, %(documents)s::jsonb, %(state)s, %(reviewed_by)s,
        CASE WHEN %(reviewed_by)s::text IS NOT NULL THEN now() END)
ON CONFLICT (project, place) DO UPDATE SET messages = excluded.messages, added_hash = excluded.added_hash,
    origin = excluded.origin, documents = excluded.documents, state = excluded.state, reviewed_by = excluded.reviewed_by,
    reviewed_at = excluded.reviewed_at, cleared_by = NULL, added_at = now()
WHERE examples.added_hash <> excluded.added_hash OR (examples.state = 'proposed' AND excluded.state = 'approved')

-- name: note_terms
-- why: another task, licence or author leaves the words as they are, and what a person made of them
UPDATE examples SET task = %(task)s, licence = %(licence)s, author = %(author)s
WHERE project = %(project)s
    AND place = coalesce(%(place)s::text, 'words:' || %(origin)s::text || ':' || md5(%(messages)s::jsonb::text))
    AND (task, licence, author) IS DISTINCT FROM (%(task)s, %(licence)s, %(author)s)

-- name: list_examples
-- why: for review, checks and training, oldest first
SELECT id, project, task, messages, place, origin, licence, author, documents, state, added_at, reviewed_by, reviewed_at,
    cleared_by
FROM examples
WHERE project = %(project)s AND (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY id

-- name: review_examples
-- why: a person's word; an answer that the person wrote anew takes the place of the last turn, and nobody cleared that yet
UPDATE examples SET state = %(state)s, reviewed_by = %(by)s, reviewed_at = now(),
    cleared_by = CASE WHEN %(cleared)s THEN %(by)s WHEN %(answer)s::text IS NULL THEN cleared_by END,
    messages = CASE WHEN %(answer)s::text IS NULL THEN messages
        ELSE jsonb_set(messages, ARRAY[(jsonb_array_length(messages) - 1)::text, 'content'], %(answer)s::jsonb) END
WHERE project = %(project)s AND id = ANY (%(ids)s)

-- name: count_examples
-- why: what there is to train on, at a glance
SELECT project, task, state, count(*) AS examples, count(DISTINCT origin) AS origins
FROM examples GROUP BY project, task, state ORDER BY project, task, state

-- name: list_sides
-- why: an origin stays where it once was
SELECT origin, side FROM example_sides WHERE project = %(project)s

-- name: add_side
-- why: two runs that start together agree on the first one's word
INSERT INTO example_sides (project, origin, side) VALUES (%(project)s, %(origin)s, %(side)s) ON CONFLICT DO NOTHING

-- name: add_verdict
-- why: how an adapter was judged, and by whose word it went into service all the same, is kept
INSERT INTO verdicts (adapter, digest, against, comparisons, passed, overridden_by, judged_by)
VALUES (%(adapter)s, %(digest)s, %(against)s, %(comparisons)s::jsonb, %(passed)s, %(overridden_by)s, %(judged_by)s)

-- name: list_verdicts
-- why: the newest of each adapter, for the list
SELECT DISTINCT ON (adapter) adapter, digest, against, comparisons, passed, overridden_by, judged_by, judged_at
FROM verdicts ORDER BY adapter, id DESC

-- name: list_clashes
-- why: what the documents said where the weights said something else. One whose page was read in again since may say something
-- else by now, and is noticed again if the weights still do.
SELECT k.answer_id AS id, a.standalone AS question, k.from_documents AS answer, k.adapter, k.document_id, a.audiences
FROM clashes k JOIN answers a ON a.id = k.answer_id JOIN standings s ON s.id = k.document_id
WHERE s.indexed_at <= k.noticed_at ORDER BY k.noticed_at

-- name: list_audiences
-- why: before whom answers were given; NULL where nobody kept it
SELECT id, audiences FROM answers WHERE id = ANY (%(ids)s)

-- name: list_held_elsewhere
-- why: what other projects' adapters are judged by
SELECT e.project, e.messages FROM examples e JOIN example_sides s USING (project, origin)
WHERE e.project <> %(project)s AND e.state = 'approved' AND s.side = 'held-out'

-- name: list_outdated
-- why: approved examples made from content that no document has any more, or that has expired: they would teach what was
SELECT e.id FROM examples e
WHERE e.project = %(project)s AND e.state = 'approved' AND EXISTS (
    SELECT FROM jsonb_array_elements(e.documents) AS seen WHERE NOT EXISTS (
        SELECT FROM standings s WHERE s.revision = seen ->> 'revision' AND s.state = 'indexed'
            AND (s.expires_at IS NULL OR s.expires_at > now())))
ORDER BY e.id
