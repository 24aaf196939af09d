-- A definition that writes the rows that are there needs the operation UPDATE: a type that is changed by an expression, which
-- reads them too, and a default that is another one for each row. A generated column only reads them.
CREATE OR REPLACE FUNCTION postgate_internal.check_rewrite()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    operations CONSTANT text[] := string_to_array(current_setting('postgate.operations', true), ',');
    -- Of the table_rewrite event (the manual's table of functions for it).
    new_values CONSTANT integer := 2;
    new_type CONSTANT integer := 4;
    reason CONSTANT integer := pg_event_trigger_table_rewrite_reason();
    needed text[] := '{}';
BEGIN
    IF postgate_internal.acting_role() IS NULL THEN
        RETURN;
    END IF;
    IF reason & new_type <> 0 AND current_query() ~* '\musing\M' THEN
        needed := ARRAY['SELECT', 'UPDATE'];
    ELSIF reason & new_values <> 0
        AND (current_query() !~* '\m(generated\s+always\s+as|set\s+expression)\M' OR current_query() ~* '\m(default|identity|\w*serial\d?)\M')
    THEN
        needed := ARRAY['UPDATE'];
    END IF;
    IF NOT needed <@ operations THEN
        RAISE EXCEPTION 'the token may not write rows by a definition' USING ERRCODE = 'insufficient_privilege',
            HINT = 'It needs the operation UPDATE, and SELECT where an expression reads them.';
    END IF;
END
$function$;
