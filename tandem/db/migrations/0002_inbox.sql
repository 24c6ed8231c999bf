-- What people asked for, stored before the platform is told that it arrived. The primary key is what makes a redelivery harmless.
CREATE TABLE inbox (
    id           text PRIMARY KEY,
    arrival      bigint GENERATED ALWAYS AS IDENTITY,
    surface      text NOT NULL,
    kind         text NOT NULL,
    conversation text NOT NULL,
    payload      jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'answering', 'done')),
    owner        text,
    fence        bigint NOT NULL DEFAULT 0,   -- how often it was claimed: a writer with an older number has lost its lease
    attempts     int NOT NULL DEFAULT 0,      -- claims that were not handed back in good order: the running one, and crashes
    lease_until  timestamptz,                 -- nobody else takes it up before
    reply        jsonb,                       -- where the visible reply is
    answer_id    text,
    fault        text,                        -- the number quoted to the person, or why no reply was possible
    accepted_at  timestamptz NOT NULL DEFAULT now(),
    done_at      timestamptz
);

CREATE INDEX inbox_open ON inbox (surface, arrival) WHERE state <> 'done';
CREATE INDEX inbox_open_conversations ON inbox (conversation, arrival) WHERE state <> 'done';
-- Whose thread is this: asked for every message in a thread that mentions nobody.
CREATE INDEX inbox_by_conversation ON inbox (surface, conversation, arrival);
CREATE INDEX inbox_done ON inbox (done_at) WHERE state = 'done';

-- Two replicas that look at the same moment cannot both start on one conversation.
CREATE UNIQUE INDEX inbox_one_at_a_time ON inbox (surface, conversation) WHERE state = 'answering' AND kind = 'question';
