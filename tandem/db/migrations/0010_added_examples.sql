-- What an example said when it was added, as a hash: a person may edit it in review, and the same added again changes nothing.
-- Of those that are there already, what they say now.
ALTER TABLE examples ADD COLUMN added_hash text;
UPDATE examples SET added_hash = md5(messages::text);
ALTER TABLE examples ALTER COLUMN added_hash SET NOT NULL;
