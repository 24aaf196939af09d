-- How much a tenant may define. A server process can fall over definitions that stand on each other thousands of levels deep
-- (types, domains), and takes memory for each relation that a view comes to; all objects of a database are locked when it
-- is deleted, and every tenant's locks have one table.
CREATE OR REPLACE FUNCTION postgate_internal.check_bounds()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $function$
DECLARE
    max_depth CONSTANT integer := 32;
    max_relations CONSTANT integer := 1000;
    acting CONSTANT text := postgate_internal.acting_role();
    bound record;
    depth integer;
    view oid;
    views oid[];
BEGIN
    -- adopt_definition runs commands of its own. And who is over a bound already can drop and change what there is.
    IF acting IS NULL OR current_setting('postgate.adopting', true) = 'on'
        OR tg_tag !~ '^CREATE |^SELECT INTO' AND current_query() !~* '\m(add|attach|inherit|type)\M'
    THEN
        RETURN;
    END IF;

    SELECT d.max_objects AS objects, n.oid AS schema INTO bound
    FROM public.postgate_databases AS d
    JOIN pg_namespace AS n ON n.nspname = d.schema_name
    WHERE d.id = substr(acting, 10, 32)::uuid;
    IF postgate_internal.count_objects(bound.schema) > bound.objects THEN
        RAISE EXCEPTION 'the database may have at most % objects', bound.objects USING ERRCODE = 'program_limit_exceeded',
            HINT = 'Relations, columns, types, labels of enums and statistics count; an administrator can change max_objects.';
    END IF;

    WITH RECURSIVE touched AS (
        SELECT DISTINCT n.class, n.id
        FROM pg_event_trigger_ddl_commands() AS c
        CROSS JOIN LATERAL postgate_internal.definition_of(c.classid, c.objid) AS n
    ), below (class, id, level) AS (
        SELECT t.class, t.id, 0 FROM touched AS t
        UNION
        SELECT n.class, n.id, b.level + 1
        FROM below AS b
        CROSS JOIN LATERAL postgate_internal.definitions_below(b.class, b.id) AS n
        WHERE b.level <= max_depth
    ), above (class, id, level) AS (
        SELECT t.class, t.id, 0 FROM touched AS t
        UNION
        SELECT n.class, n.id, a.level + 1
        FROM above AS a
        CROSS JOIN LATERAL postgate_internal.definitions_above(a.class, a.id) AS n
        WHERE a.level <= max_depth
    )
    SELECT (SELECT max(b.level) FROM below AS b) + (SELECT max(a.level) FROM above AS a),
        ARRAY(
            SELECT DISTINCT c.oid
            FROM above AS a
            JOIN pg_class AS c ON a.class = 'pg_class'::regclass AND c.oid = a.id
            WHERE c.relkind IN ('v', 'm')
        )
    INTO depth, views;
    IF depth > max_depth THEN
        RAISE EXCEPTION 'definitions may stand on each other at most % levels deep', max_depth
            USING ERRCODE = 'program_limit_exceeded';
    END IF;

    FOREACH view IN ARRAY views LOOP
        IF postgate_internal.count_relations(view, max_relations) > max_relations THEN
            RAISE EXCEPTION 'a view may come to at most % relations', max_relations USING ERRCODE = 'program_limit_exceeded',
                HINT = 'Each view in it counts with all that its own query names; a materialized view counts once.';
        END IF;
    END LOOP;
END
$function$;
