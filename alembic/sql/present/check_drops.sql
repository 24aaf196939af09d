-- A command that drops more than it names needs the operation DROP: ALTER TABLE ... DROP COLUMN ... CASCADE.
CREATE OR REPLACE FUNCTION postgate_internal.check_drops()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF postgate_internal.acting_role() IS NOT NULL
        AND 'DROP' = ANY (string_to_array(current_setting('postgate.operations', true), ',')) IS NOT TRUE
        AND EXISTS (
            SELECT FROM pg_event_trigger_dropped_objects() AS o
            WHERE NOT o.is_temporary AND o.object_type IN ('table', 'view', 'materialized view', 'foreign table')
        )
    THEN
        RAISE EXCEPTION 'the token may not drop what depends on this' USING ERRCODE = 'insufficient_privilege',
            HINT = 'It needs the operation DROP.';
    END IF;
END
$function$;
