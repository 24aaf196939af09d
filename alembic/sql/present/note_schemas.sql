-- Makes what workers remember of these schemas stale as soon as the transaction commits; a schema of no tenant stands for
-- all that every tenant may use. What a tenant does is noted for that tenant alone, so that none can keep the others busy.
CREATE OR REPLACE FUNCTION postgate_internal.note_schemas(p_schemas text[])
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $function$
    INSERT INTO postgate_internal.definitions AS n (schema_name, version)
    SELECT DISTINCT coalesce(d.schema_name, ''), pg_current_xact_id()
    FROM unnest(CASE
        WHEN postgate_internal.acting_role() IS NULL THEN p_schemas
        ELSE ARRAY(
            SELECT a.schema_name::text FROM public.postgate_databases AS a
            -- Its role is called postgate_<id>_...
            WHERE a.id = substr(postgate_internal.acting_role(), 10, 32)::uuid)
    END) AS s (name)
    LEFT JOIN public.postgate_databases AS d ON d.schema_name = s.name AND d.schema_name <> 'public'
    -- Two transactions that note the same schemas lock them in the same order.
    ORDER BY 1
    ON CONFLICT (schema_name) DO UPDATE SET version = excluded.version WHERE n.version <> excluded.version
$function$;
