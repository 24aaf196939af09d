-- What stands under each of the types $1: the type that is no domain, and what that is an array of. A row has the oid
-- that was asked for, the type, its element and the element's delimiter; an oid that names no type has none.
WITH RECURSIVE chain (asked, oid) AS (
    SELECT o, o FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS o
    UNION ALL
    SELECT c.asked, t.typbasetype
    FROM chain AS c JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) c.oid
    WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
)
SELECT c.asked, t.oid, e.oid, e.typdelim
FROM chain AS c
JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) c.oid
LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) t.typelem
    AND t.typsubscript OPERATOR(pg_catalog.=) 'pg_catalog.array_subscript_handler'::pg_catalog.regproc
WHERE t.typtype OPERATOR(pg_catalog.<>) 'd'
