-- What is dropped, by its own name or along with something else. A schema takes all that is noted of it along.
CREATE OR REPLACE FUNCTION postgate_internal.note_drops()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    schemas CONSTANT text[] := ARRAY(
        SELECT o.object_name FROM pg_event_trigger_dropped_objects() AS o WHERE o.object_type = 'schema');
BEGIN
    DELETE FROM postgate_internal.definitions AS n WHERE n.schema_name = ANY (schemas);
    PERFORM postgate_internal.note_schemas(array_agg(DISTINCT coalesce(o.schema_name, '')))
    FROM pg_event_trigger_dropped_objects() AS o
    WHERE NOT o.is_temporary AND o.object_type NOT IN ('schema', 'default acl', 'statistics object')
        -- What goes with a table (its storage, rules, defaults) has no schema of its own, or pg_toast.
        AND (o.schema_name <> 'pg_toast' OR o.schema_name IS NULL AND o.original)
        AND coalesce(o.schema_name, '') <> ALL (schemas)
    HAVING count(*) > 0;
END
$function$;
