-- What was asked and answered, with everything the decision knew; and what people thought of it.

CREATE TABLE answers (
    id text PRIMARY KEY,
    question_id text NOT NULL UNIQUE,
    conversation text NOT NULL,
    question text NOT NULL,
    standalone text NOT NULL,
    answer text NOT NULL,
    route text NOT NULL CHECK (route IN ('direct', 'grounded', 'declined')),
    citations jsonb NOT NULL,
    receipt jsonb NOT NULL,
    inputs jsonb NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX answers_by_conversation ON answers (conversation, asked_at DESC);

CREATE TABLE feedback (
    answer_id text NOT NULL REFERENCES answers ON DELETE CASCADE,
    person text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('up', 'down')),
    given_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (answer_id, person)
);
