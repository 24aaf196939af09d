-- What a tenant may set of its relations: nothing that turns autovacuum off, slows it or keeps it busy for the others, no
-- statistics that run expressions in its workers, and no access method but those that are known. The validator has the
-- same list.
CREATE OR REPLACE FUNCTION postgate_internal.check_options()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    refused text;
BEGIN
    -- adopt_definition runs commands of its own.
    IF postgate_internal.acting_role() IS NULL OR current_setting('postgate.adopting', true) = 'on' THEN
        RETURN;
    END IF;
    WITH touched AS (
        SELECT r.oid, r.relkind, r.relam, r.reloptions
        FROM pg_event_trigger_ddl_commands() AS c
        JOIN pg_class AS t ON t.oid = c.objid
        JOIN pg_class AS r ON r.oid IN (t.oid, t.reltoastrelid)
        WHERE c.classid = 'pg_class'::regclass
    ), numbers (name, least, most) AS (VALUES
        ('fillfactor', 10, 100),
        ('toast_tuple_target', 128, 8160),
        ('autovacuum_vacuum_scale_factor', 0.01, 0.5),
        ('autovacuum_vacuum_insert_scale_factor', 0.01, 0.5),
        ('autovacuum_analyze_scale_factor', 0.01, 0.5),
        ('gin_pending_list_limit', 64, 65536),
        ('pages_per_range', 1, 131072),
        ('lists', 1, 32768),
        ('m', 2, 100),
        ('ef_construction', 4, 1000),
        ('siglen', 1, 2024),
        ('numranges', 1, 252),
        ('false_positive_rate', 0.0001, 0.25),
        ('values_per_range', 8, 256)
    )
    SELECT f.what INTO refused
    FROM (
        SELECT 'the parameter ' || o.option_name || ' = ' || o.option_value AS what
        FROM touched AS r
        CROSS JOIN pg_options_to_table(r.reloptions) AS o
        LEFT JOIN numbers AS n ON n.name = o.option_name
        WHERE o.option_name NOT IN ('autosummarize', 'buffering', 'check_option', 'deduplicate_items', 'fastupdate', 'security_barrier', 'security_invoker')
            AND CASE WHEN n.name IS NOT NULL AND o.option_value ~ '^-?[0-9.]+(e-?[0-9]+)?$'
                THEN o.option_value::numeric NOT BETWEEN n.least AND n.most ELSE true END
        UNION ALL
        SELECT 'the access method ' || m.amname
        FROM touched AS r
        JOIN pg_am AS m ON m.oid = r.relam
        WHERE m.amname <> ALL (CASE
            WHEN r.relkind IN ('i', 'I') THEN ARRAY['btree', 'hash', 'gist', 'gin', 'brin', 'hnsw', 'ivfflat']::name[]
            ELSE ARRAY['heap', current_setting('default_table_access_method')]::name[]
        END)
        UNION ALL
        SELECT 'the statistics target ' || a.attstattarget
        FROM touched AS r
        JOIN pg_attribute AS a ON a.attrelid = r.oid
        WHERE a.attstattarget > 1000 AND NOT a.attisdropped
        UNION ALL
        SELECT CASE WHEN s.stxexprs IS NULL THEN 'the statistics target ' || s.stxstattarget ELSE 'statistics over expressions' END
        FROM pg_event_trigger_ddl_commands() AS c
        JOIN pg_statistic_ext AS s ON s.oid = c.objid
        WHERE c.classid = 'pg_statistic_ext'::regclass AND (s.stxexprs IS NOT NULL OR s.stxstattarget > 1000)
    ) AS f (what)
    LIMIT 1;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'the token may not set %', refused USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$function$;
