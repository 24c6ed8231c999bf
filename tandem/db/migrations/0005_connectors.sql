-- What connectors keep with a source: how it is to be read (`options`, chosen by whoever added it), and how far it has
-- been looked at (`cursor`, the connector's own). `look_interval_s` overrides the setting for sources that are slow to ask.
ALTER TABLE sources
    ADD COLUMN options jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN cursor jsonb,
    ADD COLUMN look_interval_s double precision CHECK (look_interval_s > 0);

-- What the listing has to say about the source as a whole, for the report.
ALTER TABLE looks ADD COLUMN notes text[] NOT NULL DEFAULT '{}';

-- Uploaded files: their bytes are here, so that any worker can read them. No role but the owner may.
CREATE TABLE uploads (
    source_id int NOT NULL REFERENCES sources ON DELETE CASCADE,
    name text NOT NULL,
    content bytea NOT NULL,
    hash text NOT NULL,
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, name)
);
ALTER TABLE uploads ALTER COLUMN content SET STORAGE EXTERNAL;
