-- Deleted databases whose schema is still there, wholly or in part.
CREATE TABLE postgate_internal.doomed (
    database_id uuid PRIMARY KEY,
    schema_name text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
