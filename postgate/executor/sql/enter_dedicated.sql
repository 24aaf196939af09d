-- What postgate_internal.enter sets, for a server that has no such function: $1 is the time for a statement and $2 for
-- a lock, in milliseconds, $3 the memory for sorting, $4 whether the transaction may only read, $5 its
-- application_name.
SELECT
    pg_catalog.set_config('statement_timeout', $1, true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', $1, true),
    CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 170000 THEN
        pg_catalog.set_config('transaction_timeout',
            ($1::pg_catalog.int8 OPERATOR(pg_catalog.+) 5000)::pg_catalog.text, true) END,
    pg_catalog.set_config('lock_timeout', $2, true),
    pg_catalog.set_config('work_mem', $3, true),
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
    pg_catalog.set_config('search_path', 'public, pg_temp', true),
    CASE WHEN $4 THEN pg_catalog.set_config('transaction_read_only', 'on', true) END
