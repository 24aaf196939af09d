-- drop_batch, for a tenant that may still be running statements: NULL when it has to be tried again later.
CREATE OR REPLACE FUNCTION postgate_internal.try_drop_batch(p_database_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    FOR attempt IN 1..3 LOOP
        BEGIN
            RETURN postgate_internal.drop_batch(p_database_id);
        EXCEPTION
            WHEN internal_error OR deadlock_detected OR lock_not_available OR serialization_failure OR undefined_object
                OR undefined_table OR dependent_objects_still_exist OR insufficient_resources
            THEN
                PERFORM pg_sleep(0.05 * attempt);
        END;
    END LOOP;
    RETURN NULL;
END
$function$;
