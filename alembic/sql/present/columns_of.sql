-- The columns of a table in a schema that the caller may use, for describe_table, as information_schema.columns has them
-- for who owns the table.
CREATE OR REPLACE FUNCTION postgate_helpers.columns_of(p_schema text, p_table text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        a.attname::text,
        CASE
            WHEN b.typelem <> 0 AND b.typlen = -1 THEN 'ARRAY'
            WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN format_type(b.oid, NULL)
            ELSE 'USER-DEFINED'
        END,
        NOT (a.attnotnull OR t.typtype = 'd' AND t.typnotnull),
        CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
        EXISTS (
            SELECT FROM pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey)
        )
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    -- A domain is shown as what it is over.
    JOIN pg_type AS b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE n.nspname = p_schema AND c.relname = p_table AND c.relkind IN ('r', 'p', 'v', 'f')
        AND has_schema_privilege(coalesce(postgate_internal.acting_role(), session_user), n.oid, 'USAGE')
    ORDER BY a.attnum
$function$;
