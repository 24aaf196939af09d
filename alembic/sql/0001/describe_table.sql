-- No pinned search_path: the table is looked for in the caller's first schema. Every name is qualified instead.
CREATE OR REPLACE FUNCTION postgate_helpers.describe_table(p_table_name text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean)
LANGUAGE sql
STABLE
AS $function$
    SELECT
        c.column_name::pg_catalog.text,
        c.data_type::pg_catalog.text,
        c.is_nullable::pg_catalog.text OPERATOR(pg_catalog.=) 'YES'::pg_catalog.text,
        c.column_default::pg_catalog.text,
        EXISTS (
            SELECT
            FROM pg_catalog.pg_constraint AS k
            JOIN pg_catalog.pg_class AS r ON r.oid OPERATOR(pg_catalog.=) k.conrelid
            JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) r.relnamespace
            JOIN pg_catalog.pg_attribute AS a
                ON a.attrelid OPERATOR(pg_catalog.=) r.oid AND a.attnum OPERATOR(pg_catalog.=) ANY (k.conkey)
            WHERE k.contype OPERATOR(pg_catalog.=) 'p'::pg_catalog."char"
                AND n.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
                AND r.relname::pg_catalog.text OPERATOR(pg_catalog.=) p_table_name
                AND a.attname::pg_catalog.text OPERATOR(pg_catalog.=) c.column_name::pg_catalog.text
        )
    FROM information_schema.columns AS c
    WHERE c.table_schema::pg_catalog.text OPERATOR(pg_catalog.=) pg_catalog.current_schema()::pg_catalog.text
        AND c.table_name::pg_catalog.text OPERATOR(pg_catalog.=) p_table_name
    ORDER BY c.ordinal_position
$function$;
