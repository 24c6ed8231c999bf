-- name: become_reader
-- why: several statements of one reader must agree with each other; and the tables' owner is not bound by row-level
-- security, this role is. Two statements in one message.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL ROLE tandem_reader;

-- name: set_viewer
-- why: the policies compare with these; they vanish with the transaction.
SELECT set_config('tandem.workspace', %(workspace)s, true),
    set_config('tandem.audiences', (%(audiences)s::text[])::text, true);
