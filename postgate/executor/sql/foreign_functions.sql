-- Those of the names $1 (a JSON array) that are no function of the tenant with the schema $2: there is none of that
-- name in it, or a built-in function or an extension's has the same name.
SELECT f FROM pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb) AS f
WHERE NOT coalesce((
    SELECT pg_catalog.bool_and(n.nspname OPERATOR(pg_catalog.=) $2 AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'
    ))
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.proname OPERATOR(pg_catalog.=) f::pg_catalog.name
        AND n.nspname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog', $2]::pg_catalog.name[])
), false)
