-- Add what the databases $1 have used on the days $2: requests, refused ones, rows, bytes and milliseconds. In the order of
-- the key, so that two processes that add at once wait for each other and not both.
INSERT INTO public.postgate_usage AS u (database_id, day, requests, refused, rows, bytes, database_ms)
SELECT * FROM ROWS FROM (
    pg_catalog.unnest($1::pg_catalog.uuid[]), pg_catalog.unnest($2::pg_catalog.date[]),
    pg_catalog.unnest($3::pg_catalog.int8[]), pg_catalog.unnest($4::pg_catalog.int8[]),
    pg_catalog.unnest($5::pg_catalog.int8[]), pg_catalog.unnest($6::pg_catalog.int8[]),
    pg_catalog.unnest($7::pg_catalog.float8[])
)
ORDER BY 1, 2
ON CONFLICT (database_id, day) DO UPDATE SET
    requests = u.requests OPERATOR(pg_catalog.+) excluded.requests,
    refused = u.refused OPERATOR(pg_catalog.+) excluded.refused,
    rows = u.rows OPERATOR(pg_catalog.+) excluded.rows,
    bytes = u.bytes OPERATOR(pg_catalog.+) excluded.bytes,
    database_ms = u.database_ms OPERATOR(pg_catalog.+) excluded.database_ms
