-- Goes on with the deletions of databases that are not complete, by one batch; whether there is more that can be done now. To
-- be called in a transaction of its own, until it says no.
CREATE OR REPLACE FUNCTION postgate_internal.finish_deletions()
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    doomed uuid;
BEGIN
    FOR doomed IN SELECT d.database_id FROM postgate_internal.doomed AS d ORDER BY d.since LOOP
        IF postgate_internal.try_drop_batch(doomed) IS FALSE THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$function$;
