-- As the revision before has it.
DO $do$
DECLARE
    roles text;
BEGIN
    SELECT string_agg(quote_ident(r.rolname), ', ') INTO roles
    FROM public.postgate_databases AS d
    JOIN pg_catalog.pg_roles AS r ON r.rolname ~ ('^postgate_' || replace(d.id::text, '-', '') || '_')
    WHERE d.backend_type = 'schema';
    IF roles IS NOT NULL THEN
        EXECUTE 'GRANT USAGE ON SCHEMA postgate_helpers TO ' || roles;
    END IF;
END
$do$;
REVOKE USAGE ON SCHEMA postgate_helpers FROM PUBLIC;
