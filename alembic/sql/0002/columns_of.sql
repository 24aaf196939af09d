-- The columns of a table in a schema that the caller may use, for describe_table.
CREATE FUNCTION postgate_helpers.columns_of(p_schema text, p_table text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT
        c.column_name::text,
        c.data_type::text,
        c.is_nullable::text = 'YES',
        c.column_default::text,
        EXISTS (
            SELECT
            FROM pg_constraint AS k
            JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
            WHERE k.contype = 'p' AND a.attname = c.column_name
                AND k.conrelid = to_regclass(format('%I.%I', c.table_schema, c.table_name))
        )
    FROM information_schema.columns AS c
    JOIN pg_namespace AS n ON n.nspname = c.table_schema
    WHERE c.table_schema = p_schema AND c.table_name = p_table
        AND has_schema_privilege(coalesce(postgate_internal.acting_role(), session_user), n.oid, 'USAGE')
    ORDER BY c.ordinal_position
$function$;
