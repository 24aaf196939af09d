-- What views that were made before revision 0014 go on calling.
CREATE OR REPLACE FUNCTION postgate_helpers.describe_table_until_0013(p_table_name text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean)
LANGUAGE sql
STABLE
AS $function$
    SELECT c.column_name, c.data_type, c.is_nullable, c.column_default, c.is_primary_key
    FROM postgate_helpers.describe_table(p_table_name) AS c
$function$;
