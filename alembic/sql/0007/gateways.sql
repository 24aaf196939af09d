-- Roles that were admitted before go on with deletions too.
DO $do$
DECLARE
    gateway name;
BEGIN
    FOR gateway IN SELECT g.role FROM postgate_internal.gateways AS g JOIN pg_catalog.pg_roles AS r ON r.rolname = g.role LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION postgate_internal.finish_deletions() TO %I', gateway);
    END LOOP;
END
$do$;
