-- Gives what stands in a tenant's schema to the tenant's owner role, except what an extension brought.
CREATE OR REPLACE FUNCTION postgate_internal.adopt_relations(p_schema text, p_owner text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    schema_id CONSTANT oid := p_schema::regnamespace;
    owner_id CONSTANT oid := quote_ident(p_owner)::regrole;
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %I.%I OWNER TO %I', p_schema, c.relname, p_owner)
        FROM pg_class AS c
        WHERE c.relnamespace = schema_id AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relowner <> owner_id
            -- The sequence of a column goes with its table.
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND (d.deptype = 'e' OR c.relkind = 'S' AND d.deptype IN ('a', 'i')
                        AND d.refclassid = 'pg_class'::regclass)
            )
        UNION ALL
        SELECT format('ALTER TYPE %I.%I OWNER TO %I', p_schema, t.typname, p_owner)
        FROM pg_type AS t
        LEFT JOIN pg_class AS c ON c.oid = t.typrelid
        WHERE t.typnamespace = schema_id AND t.typowner <> owner_id
            AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
            AND NOT EXISTS (
                SELECT FROM pg_depend AS d
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
            )
    LOOP
        EXECUTE statement;
    END LOOP;
END
$function$;
