-- name: take_snapshot
-- why: several statements of one reader must agree with each other.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: become_reader
-- why: the tables' owner is not bound by row-level security, this role is.
SET LOCAL ROLE tandem_reader;

-- name: set_viewer
-- why: the policies compare with these; they vanish with the transaction.
SELECT set_config('tandem.workspace', %(workspace)s, true),
    set_config('tandem.audiences', (%(audiences)s::text[])::text, true);
