-- An example from a file is known by its words and its origin, not by the line of the file that it stood in.

-- Of several that were added with the same words the one that counts most is known by them; the others keep their lines, and
-- what a person said of them.
UPDATE examples SET place = 'words:' || origin || ':' || added_hash
WHERE id IN (
    SELECT DISTINCT ON (project, origin, added_hash) id FROM examples
    WHERE place !~ '^(answer|clash|document):'
    ORDER BY project, origin, added_hash, array_position(ARRAY['approved', 'rejected', 'proposed'], state), id
);

-- Who said of words that look like instructions to the model that they are none; NULL where nobody did.
ALTER TABLE examples ADD COLUMN cleared_by text;
