-- The decision learns: which route was right for which question, the fits made of that, and where weights and documents clash.

-- `asked`: what comes back when a question could mean two things. Where it was asked; NULL for answers older than this.
ALTER TABLE answers DROP CONSTRAINT answers_route_check, ADD CONSTRAINT answers_route_check
    CHECK (route IN ('direct', 'grounded', 'asked', 'declined')),
    ADD COLUMN workspace text,
    ADD COLUMN audiences text[];

-- A question that was answered on both routes, and how right (0 to 1) each was; NULL where nothing told. It counts where
-- everything that could be seen where it was asked can be seen. `inputs` is what the decision knew. `graded_by`: a person's
-- correction, a verdict, or what the passages bear out. The direct answer is that of `adapter` (NULL: the model alone).
CREATE TABLE graded_questions (
    answer_id text PRIMARY KEY REFERENCES answers ON DELETE CASCADE,
    embedding halfvec(384) NOT NULL,
    workspace text NOT NULL,
    audiences text[] NOT NULL,
    inputs jsonb NOT NULL,
    adapter text,
    direct_right real CHECK (direct_right BETWEEN 0 AND 1),
    grounded_right real CHECK (grounded_right BETWEEN 0 AND 1),
    graded_by text NOT NULL CHECK (graded_by IN ('correction', 'verdict', 'support', 'nothing')),
    graded_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((direct_right IS NULL) = (graded_by = 'nothing') AND (grounded_right IS NULL) = (graded_by = 'nothing'))
);
CREATE INDEX graded_questions_by_place ON graded_questions (workspace);

-- The one in service is the newest promoted one. `report` is what the gate saw; a person's `promoted_by` is their name.
CREATE TABLE router_fits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    models jsonb NOT NULL,
    report jsonb NOT NULL,
    passed boolean NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    promoted_at timestamptz,
    promoted_by text
);

-- The tuned weights said one thing, and a document that had changed after their training another: for the next training.
CREATE TABLE clashes (
    answer_id text PRIMARY KEY REFERENCES answers ON DELETE CASCADE,
    document_id bigint REFERENCES documents ON DELETE CASCADE,
    adapter text,
    from_memory text NOT NULL,
    from_documents text NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now()
);
