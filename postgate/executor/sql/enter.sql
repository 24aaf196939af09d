-- What postgate_internal.enter does, as one plain statement, which takes PostgreSQL less: a PL/pgSQL function makes its
-- expressions ready anew in each transaction. Where anything is not as it should be, the function
-- itself is called: it looks once more and raises, so what it refuses is refused here too.
SELECT CASE WHEN e.fits THEN
    CASE WHEN pg_catalog.concat(
        pg_catalog.set_config('statement_timeout', e.timeout, true),
        pg_catalog.set_config('idle_in_transaction_session_timeout', e.timeout, true),
        CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 170000 THEN
            pg_catalog.set_config('transaction_timeout',
                (e.timeout::pg_catalog.int8 OPERATOR(pg_catalog.+) 5000)::pg_catalog.text, true) END,
        -- For the tenant's statement what the server has: postgres/sql/settle_session.sql has changed it for this one.
        pg_catalog.set_config('enable_seqscan', NULL, true),
        pg_catalog.set_config('enable_hashjoin', NULL, true),
        pg_catalog.set_config('TimeZone', 'UTC', true),
        pg_catalog.set_config('DateStyle', 'ISO, MDY', true),
        pg_catalog.set_config('IntervalStyle', 'postgres', true),
        pg_catalog.set_config('bytea_output', 'hex', true),
        pg_catalog.set_config('extra_float_digits', '1', true),
        pg_catalog.set_config('standard_conforming_strings', 'on', true),
        pg_catalog.set_config('backslash_quote', 'safe_encoding', true),
        pg_catalog.set_config('transform_null_equals', 'off', true),
        pg_catalog.set_config('array_nulls', 'on', true),
        pg_catalog.set_config('quote_all_identifiers', 'off', true),
        pg_catalog.set_config('xmlbinary', 'base64', true),
        pg_catalog.set_config('row_security', 'on', true),
        pg_catalog.set_config('application_name', $5, true),
        CASE WHEN e.operations OPERATOR(pg_catalog.<@) ARRAY['SELECT']::pg_catalog.text[] THEN
            pg_catalog.set_config('transaction_read_only', 'on', true) END,
        CASE WHEN NOT e.is_admin THEN pg_catalog.set_config('lock_timeout', e.lock_timeout, true) END,
        CASE WHEN NOT e.is_admin THEN pg_catalog.set_config('work_mem', e.work_mem, true) END,
        CASE WHEN NOT e.is_admin AND (e.is_superuser
                OR pg_catalog.has_parameter_privilege(session_user, 'temp_file_limit', 'SET')) THEN
            pg_catalog.set_config('temp_file_limit', e.temp_file_limit, true) END,
        pg_catalog.set_config('postgate.operations', pg_catalog.array_to_string(e.operations, ','), true),
        pg_catalog.set_config('search_path', e.schema OPERATOR(pg_catalog.||) ', pg_temp', true)
    ) IS NOT NULL THEN
        -- After the rest, because the role may not do it; CASE keeps the order.
        CASE WHEN NOT e.is_admin THEN
            pg_catalog.set_config(CASE WHEN e.is_superuser THEN 'session_authorization' ELSE 'role' END, e.acting, true) END
    END
ELSE
    (SELECT '' FROM postgate_internal.enter($1, $2, $3, $4))
END
FROM (
    SELECT f.*,
        f.is_current AND NOT f.is_expired AND pg_catalog.to_regnamespace(f.schema) IS NOT NULL
            AND (f.is_admin OR pg_catalog.to_regrole(f.acting) IS NOT NULL) AS fits
    FROM (
        SELECT
            t.allowed_operations AS operations,
            $2 OPERATOR(pg_catalog.=) ANY (ARRAY[v.row_version, v.row_version OPERATOR(pg_catalog.||) v.definitions]) AS is_current,
            coalesce(t.expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp(), false) AS is_expired,
            d.id OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid AS is_admin,
            pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' AS is_superuser,
            pg_catalog.quote_ident(d.schema_name::pg_catalog.text) AS schema,
            LEAST($3, d.statement_timeout_ms)::pg_catalog.text AS timeout,
            d.lock_timeout_ms::pg_catalog.text AS lock_timeout,
            d.work_mem_kb::pg_catalog.text AS work_mem,
            d.temp_file_limit_kb::pg_catalog.text AS temp_file_limit,
            postgate_internal.role_name(d.id, CASE
                WHEN $4 OPERATOR(pg_catalog.=) ANY (ARRAY['CREATE', 'ALTER', 'DROP'])
                    AND $4 OPERATOR(pg_catalog.=) ANY (t.allowed_operations) THEN NULL
                WHEN $4 OPERATOR(pg_catalog.=) 'CREATE AS' AND 'CREATE' OPERATOR(pg_catalog.=) ANY (t.allowed_operations)
                    AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_event_trigger AS g
                        WHERE g.evtname OPERATOR(pg_catalog.=) 'postgate_adopt_definition'::pg_catalog.name
                    ) THEN NULL
                ELSE t.allowed_operations
            END) AS acting
        FROM (VALUES (1)) AS one (row)
        LEFT JOIN public.postgate_tokens AS t ON t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
        LEFT JOIN public.postgate_databases AS d ON d.id OPERATOR(pg_catalog.=) t.database_id
        LEFT JOIN postgate_internal.definitions AS own ON own.schema_name OPERATOR(pg_catalog.=) d.schema_name::pg_catalog.text
        LEFT JOIN postgate_internal.definitions AS common ON common.schema_name OPERATOR(pg_catalog.=) ''
        CROSS JOIN LATERAL (SELECT
            t.xmin::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) d.xmin::pg_catalog.text AS row_version,
            ':' OPERATOR(pg_catalog.||) coalesce(own.version::pg_catalog.text, '')
                OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) coalesce(common.version::pg_catalog.text, '') AS definitions
        ) AS v
    -- Each of these is computed once.
    OFFSET 0) AS f
) AS e
