-- The columns of a table in a schema that the caller may use, for describe_table. PostgreSQL writes names without their schema
-- where the search_path finds them; a tenant may have operators there, so all that is called is named with its schema.
CREATE OR REPLACE FUNCTION postgate_helpers.columns_of(p_schema text, p_table text)
RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, is_primary_key boolean,
    foreign_keys text[], indexes text[], comment text)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    table_id oid;
BEGIN
    SELECT c.oid INTO table_id
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = p_schema AND c.relname = p_table AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND has_schema_privilege(coalesce(postgate_internal.acting_role(), session_user), n.oid, 'USAGE');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'relation "%" does not exist', coalesce(p_table, 'NULL') USING ERRCODE = 'undefined_table',
            HINT = 'SELECT * FROM postgate_helpers.list_tables() lists what there is.';
    END IF;
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', p_schema), true);
    RETURN QUERY
    SELECT
        a.attname::pg_catalog.text,
        pg_catalog.format_type(a.atttypid, a.atttypmod),
        NOT (a.attnotnull OR t.typtype OPERATOR(pg_catalog.=) 'd'::pg_catalog."char" AND t.typnotnull),
        CASE WHEN a.attgenerated OPERATOR(pg_catalog.=) ''::pg_catalog."char"
            THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
        EXISTS (
            SELECT FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid OPERATOR(pg_catalog.=) table_id AND k.contype OPERATOR(pg_catalog.=) 'p'::pg_catalog."char"
                AND a.attnum OPERATOR(pg_catalog.=) ANY (k.conkey)
        ),
        ARRAY(
            SELECT pg_catalog.pg_get_constraintdef(k.oid, true)
            FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid OPERATOR(pg_catalog.=) table_id AND k.contype OPERATOR(pg_catalog.=) 'f'::pg_catalog."char"
                AND a.attnum OPERATOR(pg_catalog.=) ANY (k.conkey)
            ORDER BY k.conname
        ),
        ARRAY(
            SELECT pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)
            FROM pg_catalog.pg_index AS i
            WHERE i.indrelid OPERATOR(pg_catalog.=) table_id
                AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::pg_catalog.int2[])
            ORDER BY 1
        ),
        pg_catalog.col_description(table_id, a.attnum)
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS d
        ON d.adrelid OPERATOR(pg_catalog.=) table_id AND d.adnum OPERATOR(pg_catalog.=) a.attnum
    WHERE a.attrelid OPERATOR(pg_catalog.=) table_id AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
        AND NOT a.attisdropped
    ORDER BY a.attnum;
END
$function$;
