-- Opens the tenant's sandbox for the rest of the transaction, or raises and so keeps the statement from running.
-- p_version is what the look-up of the token saw: any change of the token or the database since then raises PX409.
-- No pinned search_path: what is set here has to outlive the call. Every name is qualified instead.
CREATE OR REPLACE FUNCTION postgate_internal.enter(p_token_hash text, p_version text, p_timeout_ms integer)
RETURNS void
LANGUAGE plpgsql
AS $function$
DECLARE
    entering record;
BEGIN
    SELECT
        t.xmin::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) d.xmin::pg_catalog.text AS version,
        t.expires_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp() AS expired,
        t.allowed_operations OPERATOR(pg_catalog.<@) ARRAY['SELECT']::pg_catalog.text[] AS reads_only,
        pg_catalog.quote_ident(d.schema_name::pg_catalog.text) AS schema
    INTO entering
    FROM public.postgate_tokens AS t
    LEFT JOIN public.postgate_databases AS d ON d.id OPERATOR(pg_catalog.=) t.database_id
    WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) p_token_hash;

    IF NOT FOUND OR entering.expired THEN
        RAISE EXCEPTION 'the token is unknown, revoked or expired' USING ERRCODE = 'PX401';
    END IF;
    IF entering.version IS NULL THEN
        RAISE EXCEPTION 'the database of the token is gone' USING ERRCODE = 'PX404';
    END IF;
    IF p_version OPERATOR(pg_catalog.<>) entering.version OR p_version IS NULL THEN
        RAISE EXCEPTION 'the token or its database has changed' USING ERRCODE = 'PX409';
    END IF;
    IF entering.schema IS NULL OR pg_catalog.to_regnamespace(entering.schema) IS NULL THEN
        RAISE EXCEPTION 'the schema of the database is gone' USING ERRCODE = 'PX404';
    END IF;

    -- One statement, because every later one would be planned anew for each tenant's search_path.
    PERFORM
        pg_catalog.set_config('statement_timeout', p_timeout_ms::pg_catalog.text, true),
        pg_catalog.set_config('idle_in_transaction_session_timeout', p_timeout_ms::pg_catalog.text, true),
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
        pg_catalog.set_config('transaction_read_only', CASE WHEN entering.reads_only THEN 'on'
            ELSE pg_catalog.current_setting('transaction_read_only') END, true),
        -- pg_catalog is searched first because it is not named; pg_temp last because it is.
        pg_catalog.set_config('search_path', entering.schema OPERATOR(pg_catalog.||) ', pg_temp', true);
END
$function$;
