-- The definition that an entry of pg_depend is part of, where other definitions can stand on it: a table or view, or a type. A
-- row type is its relation's, an array type its element's, a multirange its range's, a rule its view's and a constraint its
-- domain's.
CREATE OR REPLACE FUNCTION postgate_internal.definition_of(p_class oid, p_id oid)
RETURNS TABLE (class oid, id oid)
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT 'pg_class'::regclass::oid, c.oid
    FROM pg_class AS c
    WHERE p_class = 'pg_class'::regclass AND c.oid = p_id AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT CASE WHEN e.typrelid <> 0 THEN 'pg_class'::regclass ELSE 'pg_type'::regclass END::oid,
        CASE WHEN e.typrelid <> 0 THEN e.typrelid ELSE e.oid END
    FROM pg_type AS t
    JOIN pg_type AS e ON e.oid = CASE
        WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem
        WHEN t.typtype = 'm' THEN (SELECT r.rngtypid FROM pg_range AS r WHERE r.rngmultitypid = t.oid)
        ELSE t.oid
    END
    WHERE p_class = 'pg_type'::regclass AND t.oid = p_id
    UNION ALL
    SELECT 'pg_class'::regclass::oid, r.ev_class
    FROM pg_rewrite AS r
    WHERE p_class = 'pg_rewrite'::regclass AND r.oid = p_id
    UNION ALL
    SELECT 'pg_type'::regclass::oid, k.contypid
    FROM pg_constraint AS k
    WHERE p_class = 'pg_constraint'::regclass AND k.oid = p_id AND k.contypid <> 0
$function$;
