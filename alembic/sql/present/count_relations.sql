-- How many relations a view comes to when each view in its query is replaced by that one's query, as PostgreSQL does before
-- it plans; beyond the bound any number. Views stand on each other at most 32 levels deep.
CREATE OR REPLACE FUNCTION postgate_internal.count_relations(p_view oid, p_bound integer)
RETURNS numeric
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    -- Those of one level, and how often each is named there.
    relations oid[] := ARRAY[p_view];
    times numeric[] := ARRAY[1];
    total numeric := 0;
BEGIN
    WHILE relations IS NOT NULL AND total <= p_bound LOOP
        SELECT array_agg(n.relation), array_agg(n.times), total + coalesce(sum(n.times), 0)
        INTO relations, times, total
        FROM (
            SELECT m[1]::oid AS relation, sum(l.times) AS times
            FROM unnest(relations, times) AS l (relation, times)
            JOIN pg_class AS c ON c.oid = l.relation AND (c.relkind = 'v' OR c.oid = p_view)
            JOIN pg_rewrite AS r ON r.ev_class = c.oid
            -- The entries for relations of the range table of the query; two of them stand for the view itself before 16.
            CROSS JOIN LATERAL regexp_matches(r.ev_action::text, ':rtekind 0 :relid (\d+)', 'g') AS m
            WHERE m[1]::oid <> c.oid
            GROUP BY m[1]
        ) AS n;
    END LOOP;
    RETURN total;
END
$function$;
