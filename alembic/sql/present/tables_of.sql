-- The tables of a schema that the caller may use, for list_tables: tenants may not read the catalog themselves.
CREATE OR REPLACE FUNCTION postgate_helpers.tables_of(p_schema text)
RETURNS SETOF text
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT c.relname::text
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = p_schema AND c.relkind IN ('r', 'p')
        AND has_schema_privilege(coalesce(postgate_internal.acting_role(), session_user), n.oid, 'USAGE')
    ORDER BY c.relname
$function$;
