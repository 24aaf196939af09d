-- No pinned search_path: the caller's first schema is what is listed. Every name is qualified instead.
CREATE OR REPLACE FUNCTION postgate_helpers.list_tables()
RETURNS TABLE (table_name text, row_count bigint)
LANGUAGE plpgsql
STABLE
AS $function$
BEGIN
    FOR table_name IN
        SELECT c.relname::pg_catalog.text
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
            AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])
        ORDER BY c.relname
    LOOP
        EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %I.%I', pg_catalog.current_schema(), table_name)
        INTO row_count;
        RETURN NEXT;
    END LOOP;
END
$function$;
