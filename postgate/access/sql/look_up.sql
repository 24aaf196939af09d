-- What the token with the hash $1 opens. Its version changes with every change of the token's row or its database's;
-- postgate_internal.enter compares it in each transaction.
SELECT t.id, t.token_hash, pg_catalog.array_to_string(t.allowed_operations, ','),
    t.xmin::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) coalesce(d.xmin::pg_catalog.text, ''),
    d.id, d.backend_type, d.schema_name, d.connection_string, d.max_rows,
    d.statement_timeout_ms, d.lock_timeout_ms, d.work_mem_kb
FROM public.postgate_tokens AS t
LEFT JOIN public.postgate_databases AS d ON d.id OPERATOR(pg_catalog.=) t.database_id
WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
    AND (t.expires_at IS NULL OR t.expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp())
