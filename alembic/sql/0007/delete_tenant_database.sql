CREATE OR REPLACE FUNCTION public.delete_tenant_database(p_database_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    doomed record;
BEGIN
    SELECT d.backend_type::text AS backend_type, d.schema_name::text AS schema_name INTO doomed
    FROM public.postgate_databases AS d
    WHERE d.id = p_database_id
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_database_id = '00000000-0000-0000-0000-000000000000' THEN
        RAISE EXCEPTION 'the admin database cannot be deleted' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF doomed.backend_type = 'schema' THEN
        IF doomed.schema_name IN ('public', 'information_schema', 'postgate_internal', 'postgate_helpers')
            OR starts_with(doomed.schema_name, 'pg_')
        THEN
            RAISE EXCEPTION 'the schema "%" is not a tenant''s', doomed.schema_name
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        -- Before the row goes, and its tokens with it: their triggers leave the roles that own things to drop_batch.
        INSERT INTO postgate_internal.doomed (database_id, schema_name) VALUES (p_database_id, doomed.schema_name);
    END IF;
    DELETE FROM public.postgate_databases AS d WHERE d.id = p_database_id;
    -- From here on nothing opens it. What cannot be dropped now is dropped by and by (finish_deletions).
    PERFORM postgate_internal.try_drop_batch(p_database_id);
    RETURN true;
END
$function$;
