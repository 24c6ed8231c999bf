-- name: is_known
-- why: in a thread where the bot was asked before, a follow-up needs no mention
SELECT EXISTS (SELECT FROM inbox WHERE surface = 'slack' AND conversation = %(conversation)s) AS known

-- name: newest
-- why: Slack tells no thread with a command, so `/why` means the newest answer of the channel
SELECT conversation
FROM inbox
WHERE surface = 'slack' AND kind = 'question' AND answer_id IS NOT NULL AND starts_with(conversation, %(channel)s)
ORDER BY arrival DESC
LIMIT 1
