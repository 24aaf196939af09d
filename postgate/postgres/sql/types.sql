-- The types $1 and all that stand under them, up to 100 levels: a row has the type, what it is a domain over or 0, what it is
-- an array of or 0, what stands between the elements in its text, and its name.
WITH RECURSIVE reached (oid, level) AS (
    SELECT o, 0 FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS o
    UNION
    SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END, r.level OPERATOR(pg_catalog.+) 1
    FROM reached AS r JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) r.oid
    WHERE r.level OPERATOR(pg_catalog.<) 100 AND (t.typtype OPERATOR(pg_catalog.=) 'd'
        OR t.typsubscript OPERATOR(pg_catalog.=) 'pg_catalog.array_subscript_handler'::pg_catalog.regproc)
)
SELECT DISTINCT t.oid, t.typbasetype, e.oid, e.typdelim, t.typname
FROM reached AS r
JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) r.oid
LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) t.typelem
    AND t.typsubscript OPERATOR(pg_catalog.=) 'pg_catalog.array_subscript_handler'::pg_catalog.regproc
