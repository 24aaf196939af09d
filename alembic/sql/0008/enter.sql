-- Opens the tenant's sandbox for the rest of the transaction, or raises and so keeps the statement from running.
-- p_version is what the look-up of the token saw: any change of the token, the database or the definitions that its
-- statements may use raises PX409. Workers of the previous revision do not know of definitions.
-- p_operation is CREATE, ALTER or DROP where the statement changes what there is, CREATE AS where it also runs a query,
-- else ''. Such a statement runs as the owner of the tenant's relations if the token has the operation; every other one,
-- and a query, as the role that has the privileges of the token's operations and no more.
-- No pinned search_path: what is set here has to outlive the call. Every name is qualified instead.
CREATE OR REPLACE FUNCTION postgate_internal.enter(p_token_hash text, p_version text, p_timeout_ms integer, p_operation text)
RETURNS void
LANGUAGE plpgsql
AS $function$
DECLARE
    entering record;
    is_superuser CONSTANT boolean := pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on';
    acting text;
BEGIN
    SELECT
        t.xmin::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) d.xmin::pg_catalog.text AS version,
        ':' OPERATOR(pg_catalog.||) coalesce(own.version::pg_catalog.text, '')
            OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) coalesce(common.version::pg_catalog.text, '') AS definitions,
        t.expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp() AS expired,
        t.allowed_operations AS operations,
        d.id,
        pg_catalog.quote_ident(d.schema_name::pg_catalog.text) AS schema,
        LEAST(p_timeout_ms, d.statement_timeout_ms)::pg_catalog.text AS timeout,
        d.lock_timeout_ms::pg_catalog.text AS lock_timeout,
        d.work_mem_kb::pg_catalog.text AS work_mem,
        d.temp_file_limit_kb::pg_catalog.text AS temp_file_limit
    INTO entering
    FROM public.postgate_tokens AS t
    LEFT JOIN public.postgate_databases AS d ON d.id OPERATOR(pg_catalog.=) t.database_id
    LEFT JOIN postgate_internal.definitions AS own ON own.schema_name OPERATOR(pg_catalog.=) d.schema_name::pg_catalog.text
    LEFT JOIN postgate_internal.definitions AS common ON common.schema_name OPERATOR(pg_catalog.=) ''
    WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) p_token_hash;

    IF NOT FOUND OR entering.expired THEN
        RAISE EXCEPTION 'the token is unknown, revoked or expired' USING ERRCODE = 'PX401';
    END IF;
    IF entering.version IS NULL THEN
        RAISE EXCEPTION 'the database of the token is gone' USING ERRCODE = 'PX404';
    END IF;
    IF p_version OPERATOR(pg_catalog.=) ANY (ARRAY[entering.version,
        entering.version OPERATOR(pg_catalog.||) entering.definitions]) IS NOT TRUE
    THEN
        RAISE EXCEPTION 'the token or its database has changed' USING ERRCODE = 'PX409';
    END IF;
    IF entering.schema IS NULL OR pg_catalog.to_regnamespace(entering.schema) IS NULL THEN
        RAISE EXCEPTION 'the schema of the database is gone' USING ERRCODE = 'PX404';
    END IF;

    IF entering.id OPERATOR(pg_catalog.<>) '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid THEN
        acting := postgate_internal.role_name(entering.id, CASE
            WHEN p_operation OPERATOR(pg_catalog.=) ANY (ARRAY['CREATE', 'ALTER', 'DROP'])
                AND p_operation OPERATOR(pg_catalog.=) ANY (entering.operations) THEN NULL
            -- Only where a definition is given to the owner afterwards can another role make it.
            WHEN p_operation OPERATOR(pg_catalog.=) 'CREATE AS'
                AND 'CREATE' OPERATOR(pg_catalog.=) ANY (entering.operations)
                AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_event_trigger AS e
                    WHERE e.evtname OPERATOR(pg_catalog.=) 'postgate_adopt_definition'::pg_catalog.name
                ) THEN NULL
            ELSE entering.operations
        END);
        IF pg_catalog.to_regrole(acting) IS NULL THEN
            RAISE EXCEPTION 'the roles of the database are missing' USING ERRCODE = 'PX503';
        END IF;
    END IF;

    -- One statement, because every later one would be planned anew for each tenant's search_path.
    PERFORM
        pg_catalog.set_config('statement_timeout', entering.timeout, true),
        pg_catalog.set_config('idle_in_transaction_session_timeout', entering.timeout, true),
        -- COMMIT is no statement, and can take long by its deferred constraints. It ends the session, so the others come first.
        CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 170000 THEN
            pg_catalog.set_config('transaction_timeout',
                (entering.timeout::pg_catalog.int8 OPERATOR(pg_catalog.+) 5000)::pg_catalog.text, true) END,
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
        CASE WHEN entering.operations OPERATOR(pg_catalog.<@) ARRAY['SELECT']::pg_catalog.text[] THEN
            pg_catalog.set_config('transaction_read_only', 'on', true) END,
        CASE WHEN acting IS NOT NULL THEN
            pg_catalog.set_config('lock_timeout', entering.lock_timeout, true) END,
        CASE WHEN acting IS NOT NULL THEN
            pg_catalog.set_config('work_mem', entering.work_mem, true) END,
        CASE WHEN acting IS NOT NULL AND (is_superuser
                OR pg_catalog.has_parameter_privilege(session_user, 'temp_file_limit', 'SET')) THEN
            pg_catalog.set_config('temp_file_limit', entering.temp_file_limit, true) END,
        pg_catalog.set_config('postgate.operations', pg_catalog.array_to_string(entering.operations, ','), true),
        -- pg_catalog is searched first because it is not named; pg_temp last because it is.
        pg_catalog.set_config('search_path', entering.schema OPERATOR(pg_catalog.||) ', pg_temp', true),
        -- Last, because the role may not do the rest. With the session's own role there is none to go back to.
        CASE WHEN acting IS NOT NULL THEN
            pg_catalog.set_config(CASE WHEN is_superuser THEN 'session_authorization' ELSE 'role' END, acting, true) END;
END
$function$;
