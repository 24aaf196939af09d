-- No pinned search_path: the caller's first schema is what is listed. The rows are counted with the caller's privileges.
CREATE OR REPLACE FUNCTION postgate_helpers.list_tables()
RETURNS TABLE (table_name text, row_count bigint, kind text)
LANGUAGE plpgsql
STABLE
AS $function$
DECLARE
    is_counted boolean;
BEGIN
    FOR table_name, kind, is_counted IN
        SELECT r.name, r.kind, r.is_counted
        FROM postgate_helpers.relations_of(pg_catalog.current_schema()::pg_catalog.text) AS r
    LOOP
        row_count := NULL;
        IF is_counted THEN
            EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %I.%I', pg_catalog.current_schema(), table_name)
            INTO row_count;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$function$;
