-- Everyone may use the helpers, which show no more than the caller's own schema. With a grant for each tenant's role the list
-- of the schema's privileges grew with every tenant, and with it the time to make another one.
GRANT USAGE ON SCHEMA postgate_helpers TO PUBLIC;
DO $do$
DECLARE
    roles text;
BEGIN
    -- In one command: each writes the whole list anew.
    SELECT string_agg(quote_ident(r.rolname), ', ') INTO roles
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN pg_catalog.aclexplode(n.nspacl) AS a
    JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
    WHERE n.nspname = 'postgate_helpers' AND r.rolname ~ '^postgate_[0-9a-f]{32}_';
    IF roles IS NOT NULL THEN
        EXECUTE 'REVOKE USAGE ON SCHEMA postgate_helpers FROM ' || roles;
    END IF;
END
$do$;
