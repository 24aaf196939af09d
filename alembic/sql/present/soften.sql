-- Gives PUBLIC back what harden() took.
CREATE OR REPLACE FUNCTION postgate_internal.soften()
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    statement text;
BEGIN
    FOR statement IN DELETE FROM postgate_internal.hardened RETURNING undo LOOP
        EXECUTE statement;
    END LOOP;
END
$function$;
