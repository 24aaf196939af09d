-- No pinned search_path: the table is looked for in the caller's first schema.
CREATE FUNCTION postgate_helpers.describe_table(p_table_name text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean,
    foreign_keys text[], indexes text[], comment text)
LANGUAGE sql
STABLE
AS $function$
    SELECT c.column_name, c.data_type, c.is_nullable, c.column_default, c.is_primary_key, c.foreign_keys, c.indexes, c.comment
    FROM postgate_helpers.columns_of(pg_catalog.current_schema()::pg_catalog.text, p_table_name) AS c
$function$;
