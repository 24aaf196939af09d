-- What anybody makes in a tenant's schema is given to the tenant's owner role, with the grants that this role's own have.
-- And a view is not replaced without the operation DROP.
CREATE OR REPLACE FUNCTION postgate_internal.adopt_definition()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    made record;
    granted record;
BEGIN
    -- CREATE OR REPLACE keeps the row type of the view whose definition it replaces.
    IF tg_tag = 'CREATE VIEW' AND postgate_internal.acting_role() IS NOT NULL
        AND 'DROP' = ANY (string_to_array(current_setting('postgate.operations', true), ',')) IS NOT TRUE
        AND EXISTS (
            SELECT FROM pg_event_trigger_ddl_commands() AS c
            JOIN pg_class AS r ON r.oid = c.objid
            JOIN pg_type AS t ON t.oid = r.reltype
            WHERE c.classid = 'pg_class'::regclass AND t.xmin <> pg_current_xact_id()::xid
        )
    THEN
        RAISE EXCEPTION 'the token may not replace a view' USING ERRCODE = 'insufficient_privilege',
            HINT = 'It needs the operation DROP.';
    END IF;
    FOR made IN
        SELECT DISTINCT c.object_identity, c.object_type, o.rolname AS owner, EXISTS (
                SELECT FROM pg_depend AS p
                WHERE p.classid = 'pg_class'::regclass AND p.objid = r.oid AND r.relkind = 'S'
                    AND p.deptype IN ('a', 'i') AND p.refclassid = 'pg_class'::regclass
            ) AS goes_with_its_table
        FROM pg_event_trigger_ddl_commands() AS c
        JOIN public.postgate_databases AS d ON d.schema_name = c.schema_name
        JOIN pg_roles AS o ON o.rolname = postgate_internal.role_name(d.id, NULL)
        LEFT JOIN pg_class AS r ON c.classid = 'pg_class'::regclass AND r.oid = c.objid
        LEFT JOIN pg_type AS t ON c.classid = 'pg_type'::regclass AND t.oid = c.objid
        WHERE NOT c.in_extension AND c.command_tag NOT IN ('GRANT', 'REVOKE', 'COMMENT')
            AND coalesce(r.relowner, t.typowner) <> o.oid
            AND (r.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') OR t.typtype IN ('e', 'd', 'r', 'c'))
    LOOP
        PERFORM set_config('postgate.adopting', 'on', true);
        IF NOT made.goes_with_its_table THEN
            EXECUTE format('ALTER %s %s OWNER TO %I',
                CASE WHEN made.object_type IN ('type', 'composite type', 'domain') THEN 'TYPE' ELSE 'TABLE' END,
                made.object_identity, made.owner);
        END IF;
        FOR granted IN
            SELECT a.privilege_type, a.grantee::regrole AS grantee
            FROM pg_default_acl AS p
            CROSS JOIN aclexplode(p.defaclacl) AS a
            WHERE p.defaclrole = made.owner::regrole AND a.grantee <> p.defaclrole
                AND p.defaclobjtype = CASE
                    WHEN made.object_type = 'sequence' THEN 'S'
                    WHEN made.object_type IN ('table', 'view', 'materialized view', 'foreign table') THEN 'r'
                END
        LOOP
            EXECUTE format('GRANT %s ON %s %s TO %s', granted.privilege_type,
                CASE WHEN made.object_type = 'sequence' THEN 'SEQUENCE' ELSE 'TABLE' END,
                made.object_identity, granted.grantee);
        END LOOP;
        PERFORM set_config('postgate.adopting', '', true);
    END LOOP;
END
$function$;
