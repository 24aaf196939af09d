-- The definitions that a definition stands on itself.
CREATE OR REPLACE FUNCTION postgate_internal.definitions_below(p_class oid, p_id oid)
RETURNS TABLE (class oid, id oid)
LANGUAGE sql
STABLE
ROWS 3
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT DISTINCT n.class, n.id
    FROM (
        SELECT p_class, p_id
        UNION ALL
        -- A view has its query in a rule, and a domain its conditions in constraints.
        SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite AS r WHERE p_class = 'pg_class'::regclass AND r.ev_class = p_id
        UNION ALL
        SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint AS k WHERE p_class = 'pg_type'::regclass AND k.contypid = p_id
    ) AS e (class, id)
    JOIN pg_depend AS d ON d.classid = e.class AND d.objid = e.id
    CROSS JOIN LATERAL postgate_internal.definition_of(d.refclassid, d.refobjid) AS n
    WHERE (n.class, n.id) <> (p_class, p_id)
$function$;
