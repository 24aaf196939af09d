-- All that is in a schema that the caller may use, for describe_schema. From the change of the search_path on a tenant's
-- functions are found by their bare names, and its operators where pg_catalog has none for exactly these types: so functions are
-- named with their schema here, and operators are between values of one type.
CREATE OR REPLACE FUNCTION postgate_helpers.description_of(p_schema text)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    schema_id oid;
    tables jsonb;
    types jsonb;
    sequences jsonb;
    functions jsonb;
BEGIN
    SELECT n.oid INTO schema_id
    FROM pg_namespace AS n
    WHERE n.nspname = p_schema
        AND has_schema_privilege(coalesce(postgate_internal.acting_role(), session_user), n.oid, 'USAGE');
    -- Names are written without their schema where the search_path finds them.
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', p_schema), true);

    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'name', c.relname,
        'kind', CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            WHEN 'p' THEN 'partitioned table' ELSE 'table' END,
        'comment', pg_catalog.obj_description(c.oid, 'pg_class'),
        'partition_of', (
            SELECT p.relname FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
            WHERE i.inhrelid = c.oid AND c.relispartition
        ),
        'columns', (
            SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'name', a.attname,
                'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                'nullable', NOT (a.attnotnull OR t.typtype = 'd' AND t.typnotnull),
                'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
                'generated', CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
                'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
                'comment', pg_catalog.col_description(c.oid, a.attnum)
            ) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0::pg_catalog.int2 AND NOT a.attisdropped
        ),
        'primary_key', (
            SELECT pg_catalog.jsonb_agg(a.attname ORDER BY u.place)
            FROM pg_catalog.pg_constraint AS k
            CROSS JOIN LATERAL pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (number, place)
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.number
            WHERE k.conrelid = c.oid AND k.contype = 'p'
        ),
        'foreign_keys', (
            SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'name', k.conname,
                'columns', (
                    SELECT pg_catalog.jsonb_agg(a.attname ORDER BY u.place)
                    FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (number, place)
                    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.number
                ),
                'table', f.relname,
                'references', (
                    SELECT pg_catalog.jsonb_agg(a.attname ORDER BY u.place)
                    FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (number, place)
                    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.number
                ),
                'definition', pg_catalog.pg_get_constraintdef(k.oid, true)
            ) ORDER BY k.conname)
            FROM pg_catalog.pg_constraint AS k
            JOIN pg_catalog.pg_class AS f ON f.oid = k.confrelid
            WHERE k.conrelid = c.oid AND k.contype = 'f'
        ),
        'checks', (
            SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid, true)
            ) ORDER BY k.conname)
            FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid = c.oid AND k.contype = ANY ('{c,x}'::pg_catalog."char"[])
        ),
        'indexes', (
            SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'name', x.relname, 'unique', i.indisunique, 'definition', pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)
            ) ORDER BY x.relname)
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
            WHERE i.indrelid = c.oid
        ),
        'definition', CASE WHEN c.relkind = ANY ('{v,m}'::pg_catalog."char"[]) THEN pg_catalog.pg_get_viewdef(c.oid, true) END
    ) ORDER BY c.relname) INTO tables
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = schema_id AND c.relkind = ANY ('{r,p,v,m,f}'::pg_catalog."char"[]);

    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'name', t.typname,
        'kind', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range' ELSE 'composite' END,
        'labels', (
            SELECT pg_catalog.jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
            FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid
        ),
        'type', CASE t.typtype WHEN 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END,
        'checks', (
            SELECT pg_catalog.jsonb_agg(pg_catalog.pg_get_constraintdef(k.oid, true) ORDER BY k.conname)
            FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'
        ),
        'columns', (
            SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod)
            ) ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = t.typrelid AND a.attnum > 0::pg_catalog.int2 AND NOT a.attisdropped
        ),
        'comment', pg_catalog.obj_description(t.oid, 'pg_type')
    ) ORDER BY t.typname) INTO types
    FROM pg_catalog.pg_type AS t
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typnamespace = schema_id
        AND (t.typtype = ANY ('{e,d,r}'::pg_catalog."char"[]) OR t.typtype = 'c' AND c.relkind = 'c');

    SELECT pg_catalog.jsonb_agg(c.relname ORDER BY c.relname) INTO sequences
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = schema_id AND c.relkind = 'S' AND NOT EXISTS (
        -- Of a serial or identity column, which says so itself.
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AND d.objid = c.oid
            AND d.deptype = ANY ('{a,i}'::pg_catalog."char"[])
    );

    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'name', p.proname,
        'arguments', pg_catalog.pg_get_function_arguments(p.oid),
        'returns', pg_catalog.pg_get_function_result(p.oid),
        'comment', pg_catalog.obj_description(p.oid, 'pg_proc')
    ) ORDER BY p.proname, p.oid) INTO functions
    FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = schema_id;

    RETURN pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
        'tables', coalesce(tables, '[]'::pg_catalog.jsonb),
        'types', coalesce(types, '[]'::pg_catalog.jsonb),
        'sequences', coalesce(sequences, '[]'::pg_catalog.jsonb),
        'functions', coalesce(functions, '[]'::pg_catalog.jsonb)
    ));
END
$function$;
