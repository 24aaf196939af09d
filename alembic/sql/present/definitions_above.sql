-- The definitions that stand on a definition themselves: on it, on its row type or on the array type of either.
CREATE OR REPLACE FUNCTION postgate_internal.definitions_above(p_class oid, p_id oid)
RETURNS TABLE (class oid, id oid)
LANGUAGE sql
STABLE
ROWS 3
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH types AS (
        SELECT t.oid AS id, t.typarray AS array_id
        FROM pg_type AS t
        WHERE t.oid = CASE WHEN p_class = 'pg_type'::regclass THEN p_id ELSE
            (SELECT c.reltype FROM pg_class AS c WHERE c.oid = p_id) END
    )
    SELECT DISTINCT n.class, n.id
    FROM (
        SELECT p_class, p_id
        UNION
        SELECT 'pg_type'::regclass, t.id FROM types AS t
        UNION
        SELECT 'pg_type'::regclass, t.array_id FROM types AS t
    ) AS e (class, id)
    JOIN pg_depend AS d ON d.refclassid = e.class AND d.refobjid = e.id
    CROSS JOIN LATERAL postgate_internal.definition_of(d.classid, d.objid) AS n
    WHERE (n.class, n.id) <> (p_class, p_id)
$function$;
