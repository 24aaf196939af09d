-- The tables and views of a schema that the caller may use, for list_tables: tenants may not read the catalog themselves.
CREATE FUNCTION postgate_helpers.relations_of(p_schema text)
RETURNS TABLE (name text, kind text, is_counted boolean)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT c.relname::text,
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            WHEN 'p' THEN 'partitioned table' ELSE 'table' END,
        -- What a view takes to be counted nobody knows, and one that was never filled cannot be.
        c.relkind IN ('r', 'p') OR c.relkind = 'm' AND c.relispopulated
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = p_schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND has_schema_privilege(coalesce(postgate_internal.acting_role(), session_user), n.oid, 'USAGE')
    ORDER BY c.relname
$function$;
