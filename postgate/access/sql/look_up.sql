-- What the token with the hash $1 opens. Its version changes with every change of the token's row, its database's, or of
-- what is defined where its statements may look; postgate_internal.enter compares it in each transaction. The last column
-- is what remembered statements depend on: '' where nobody notes definitions, because the login could make no event
-- triggers.
SELECT t.id, t.token_hash, pg_catalog.array_to_string(t.allowed_operations, ','),
    t.xmin::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) coalesce(d.xmin::pg_catalog.text, '')
        OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) coalesce(own.version::pg_catalog.text, '')
        OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) coalesce(common.version::pg_catalog.text, ''),
    d.id, d.name, d.backend_type, d.schema_name, d.connection_string, d.max_rows,
    d.statement_timeout_ms, d.lock_timeout_ms, d.work_mem_kb,
    shares.member OPERATOR(pg_catalog.->>) 'max_concurrency',
    shares.member OPERATOR(pg_catalog.->>) 'statements_per_second',
    shares.member OPERATOR(pg_catalog.->>) 'bytes_per_minute',
    CASE WHEN d.backend_type OPERATOR(pg_catalog.=) 'schema' AND (
        SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 2 FROM pg_catalog.pg_event_trigger AS e
        WHERE e.evtname OPERATOR(pg_catalog.=) ANY (ARRAY['postgate_note_definition', 'postgate_note_drops']::pg_catalog.name[])
            AND e.evtenabled OPERATOR(pg_catalog.<>) 'D'
    ) THEN
        coalesce(own.version::pg_catalog.text, '') OPERATOR(pg_catalog.||) ':'
            OPERATOR(pg_catalog.||) coalesce(common.version::pg_catalog.text, '')
    ELSE '' END
FROM public.postgate_tokens AS t
LEFT JOIN public.postgate_databases AS d ON d.id OPERATOR(pg_catalog.=) t.database_id
-- These columns are missing while the database is at a revision before 0012.
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d) AS member) AS shares
LEFT JOIN postgate_internal.definitions AS own ON own.schema_name OPERATOR(pg_catalog.=) d.schema_name::pg_catalog.text
LEFT JOIN postgate_internal.definitions AS common ON common.schema_name OPERATOR(pg_catalog.=) ''
WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
    AND (t.expires_at IS NULL OR t.expires_at OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp())
