-- While a new index version is built, search reads the one before. A document that changes meanwhile has the new pipeline's
-- passages there too, in place of those that the old pipeline would have made. They are told apart, so that no vector is taken
-- from them for the old pipeline, and that it makes its own should it come back.
ALTER TABLE chunks ADD COLUMN stands_in boolean NOT NULL DEFAULT false;
