-- Grants a tenant's role exactly what its operations need, on what the schema has and on what it will have.
CREATE OR REPLACE FUNCTION postgate_internal.grant_operations(p_role text, p_owner text, p_schema text, p_operations text[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    granted record;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', p_schema, p_role);
    IF 'CREATE' = ANY (p_operations) THEN
        EXECUTE format('GRANT CREATE ON SCHEMA %I TO %I', p_schema, p_role);
    END IF;
    FOR granted IN
        SELECT g.privilege, g.objects
        FROM (VALUES
            ('SELECT', 'SELECT', 'TABLES'), ('INSERT', 'INSERT', 'TABLES'), ('UPDATE', 'UPDATE', 'TABLES'),
            ('DELETE', 'DELETE', 'TABLES'), ('DROP', 'TRUNCATE', 'TABLES'),
            ('SELECT', 'SELECT', 'SEQUENCES'), ('INSERT', 'USAGE', 'SEQUENCES'), ('UPDATE', 'USAGE, UPDATE', 'SEQUENCES')
        ) AS g (operation, privilege, objects)
        WHERE g.operation = ANY (p_operations)
    LOOP
        EXECUTE format('GRANT %s ON ALL %s IN SCHEMA %I TO %I', granted.privilege, granted.objects, p_schema, p_role);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT %s ON %s TO %I',
            p_owner, p_schema, granted.privilege, granted.objects, p_role);
    END LOOP;
END
$function$;
