-- What an operator bills by: of each database and day (UTC) how many requests it has had, how many of them the service has
-- refused, rows returned or changed, bytes of requests and answers, and milliseconds of its statements. No reference to
-- the database: what it has used is billed though it is deleted.
CREATE TABLE public.postgate_usage (
    database_id uuid NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL,
    refused bigint NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    database_ms double precision NOT NULL,
    PRIMARY KEY (database_id, day)
);
-- Roles that were admitted before write it too.
DO $do$
DECLARE
    gateway name;
BEGIN
    FOR gateway IN SELECT g.role FROM postgate_internal.gateways AS g JOIN pg_catalog.pg_roles AS r ON r.rolname = g.role LOOP
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.postgate_usage TO %I', gateway);
    END LOOP;
END
$do$;
