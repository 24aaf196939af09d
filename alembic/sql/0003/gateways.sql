-- Roles that were admitted before read the new table too.
DO $do$
DECLARE
    gateway name;
BEGIN
    FOR gateway IN SELECT g.role FROM postgate_internal.gateways AS g JOIN pg_catalog.pg_roles AS r ON r.rolname = g.role LOOP
        EXECUTE pg_catalog.format('GRANT SELECT ON postgate_internal.definitions TO %I', gateway);
    END LOOP;
END
$do$;
