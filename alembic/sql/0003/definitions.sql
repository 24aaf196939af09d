-- When something was last defined, by schema: the transaction that did it. The row with the empty name is for all that is
-- outside of the tenants' schemas, which any of them may use. What a worker remembers of a statement is good for one
-- version of its tenant's row and of that one.
CREATE TABLE postgate_internal.definitions (
    schema_name text PRIMARY KEY,
    version xid8 NOT NULL DEFAULT pg_current_xact_id()
);
INSERT INTO postgate_internal.definitions (schema_name) VALUES ('');
INSERT INTO postgate_internal.definitions (schema_name)
SELECT d.schema_name FROM public.postgate_databases AS d WHERE d.backend_type = 'schema' AND d.schema_name <> 'public';
