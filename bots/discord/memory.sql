-- name: conversation_of
-- why: a reply to an answer belongs to the conversation of the question that was answered
SELECT conversation FROM inbox WHERE id = %(id)s

-- name: knows
-- why: a thread in which the bot was asked before needs no new mention
SELECT FROM inbox WHERE surface = 'discord' AND conversation = %(conversation)s LIMIT 1

-- name: last_conversation
-- why: a command in a plain channel has no thread; what people mean is what was asked there last
SELECT conversation
FROM inbox
WHERE surface = 'discord' AND kind = 'question' AND payload -> 'address' ->> 'channel' = %(channel)s
ORDER BY arrival DESC
LIMIT 1

-- name: last_seen
-- why: what came after it may have been missed; its id tells when that was
SELECT max(split_part(id, ':', 2)::bigint) AS snowflake FROM inbox WHERE surface = 'discord' AND kind <> 'review'

-- name: direct_channels
-- why: Discord does not list a bot's direct messages, so the ones to look at again are those that it had
SELECT payload -> 'address' ->> 'channel' AS channel
FROM inbox
WHERE surface = 'discord' AND payload -> 'viewer' ->> 'workspace' = 'discord:dm'
GROUP BY 1
ORDER BY max(arrival) DESC
LIMIT 50
