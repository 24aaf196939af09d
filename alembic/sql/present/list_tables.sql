-- No pinned search_path: the caller's first schema is what is listed. The rows are counted with the caller's privileges.
CREATE OR REPLACE FUNCTION postgate_helpers.list_tables()
RETURNS TABLE (table_name text, row_count bigint)
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    FOR table_name IN
        SELECT t.name FROM postgate_helpers.tables_of(pg_catalog.current_schema()::pg_catalog.text) AS t (name)
    LOOP
        EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %I.%I', pg_catalog.current_schema(), table_name)
        INTO row_count;
        RETURN NEXT;
    END LOOP;
END
$function$;
