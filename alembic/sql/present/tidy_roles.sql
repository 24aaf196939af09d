-- Arranges a tenant's roles as its tokens are now, and says whether it could. A tenant that defines things in a loop collides
-- with it ("tuple concurrently updated", locks): tried again some times, behind the tables' locks, and then left for later.
-- For the row of the token alone decides what the token opens, and it must change whatever the tenant does.
CREATE OR REPLACE FUNCTION postgate_internal.tidy_roles(p_database_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $function$
DECLARE
    relation regclass;
BEGIN
    FOR attempt IN 1..5 LOOP
        BEGIN
            IF attempt > 1 THEN
                -- An ALTER has a stronger lock until its end; behind it the changes of privileges collide with nothing.
                FOR relation IN
                    SELECT c.oid
                    FROM public.postgate_databases AS d
                    JOIN pg_namespace AS n ON n.nspname = d.schema_name
                    JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
                    WHERE d.id = p_database_id AND d.schema_name <> 'public'
                    ORDER BY c.oid
                    LIMIT 1000
                LOOP
                    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', relation);
                END LOOP;
            END IF;
            PERFORM postgate_internal.arrange_roles(p_database_id);
            RETURN true;
        EXCEPTION
            WHEN internal_error OR deadlock_detected OR lock_not_available OR serialization_failure OR undefined_table THEN
                PERFORM pg_sleep(0.02 * attempt);
        END;
    END LOOP;
    RETURN false;
END
$function$;
