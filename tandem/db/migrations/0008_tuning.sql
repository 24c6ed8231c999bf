-- What adapters are trained on, who vouched for it, and how adapters were judged.

-- What a person would have said instead of an answer; a person's later correction replaces the earlier one.
CREATE TABLE corrections (
    answer_id text NOT NULL REFERENCES answers ON DELETE CASCADE,
    person text NOT NULL,
    text text NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (answer_id, person)
);

-- A conversation whose last turn is what the model shall say. `project` is the adapter that it is for. `place` is where
-- exactly it came from (a file's line, an answer, a revision of a document), so that adding it again adds nothing.
-- `origin` is what it shares with others (a ticket, an author, a page): no split parts an origin. `documents` are the
-- revisions that it stands on.
CREATE TABLE examples (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    task text NOT NULL CHECK (task IN ('answers', 'labels', 'format', 'tone', 'language')),
    messages jsonb NOT NULL,
    place text NOT NULL,
    origin text NOT NULL,
    licence text NOT NULL,
    author text NOT NULL,
    documents jsonb NOT NULL DEFAULT '[]',
    state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'rejected')),
    added_at timestamptz NOT NULL DEFAULT now(),
    reviewed_by text,
    reviewed_at timestamptz,
    UNIQUE (project, place)
);
CREATE INDEX examples_by_state ON examples (project, state, id);

-- On which side of the split an origin is, once it was trained with: for good, so that no later adapter is trained on
-- what an earlier one is judged by.
CREATE TABLE example_sides (
    project text NOT NULL,
    origin text NOT NULL,
    side text NOT NULL CHECK (side IN ('train', 'validation', 'held-out')),
    PRIMARY KEY (project, origin)
);

-- The gate's verdicts. `against` is the adapter that was in service; NULL is the base alone.
CREATE TABLE verdicts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    adapter text NOT NULL,
    digest text NOT NULL,
    against text,
    comparisons jsonb NOT NULL,
    passed boolean NOT NULL,
    overridden_by text,
    judged_by text NOT NULL,
    judged_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX verdicts_by_adapter ON verdicts (adapter, id);
