-- What views that were made before revision 0014 go on calling.
CREATE OR REPLACE FUNCTION postgate_helpers.list_tables_until_0013()
RETURNS TABLE (table_name text, row_count bigint)
LANGUAGE sql
STABLE
AS $function$
    SELECT t.table_name, t.row_count FROM postgate_helpers.list_tables() AS t WHERE t.kind IN ('table', 'partitioned table')
$function$;
