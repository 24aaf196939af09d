-- Those of the columns $1 (a JSON array of [relation, column]) that no relation of the schema $2 has.
SELECT c.name OPERATOR(pg_catalog.->>) 1
FROM pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) AS c (name)
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_class AS r
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) r.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) r.oid
    WHERE n.nspname OPERATOR(pg_catalog.=) $2::pg_catalog.name
        AND r.relname OPERATOR(pg_catalog.=) (c.name OPERATOR(pg_catalog.->>) 0)::pg_catalog.name
        AND a.attname OPERATOR(pg_catalog.=) (c.name OPERATOR(pg_catalog.->>) 1)::pg_catalog.name
        AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
)
