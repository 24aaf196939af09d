-- Drops a tenant's role with its grants. What it owns outlives it, and belongs to the caller then.
CREATE OR REPLACE FUNCTION postgate_internal.drop_role(p_role text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
BEGIN
    PERFORM postgate_internal.hold_role(p_role, true);
    EXECUTE format('REASSIGN OWNED BY %I TO %I', p_role, current_user);
    EXECUTE format('DROP OWNED BY %I', p_role);
    BEGIN
        EXECUTE format('DROP ROLE %I', p_role);
    EXCEPTION
        WHEN dependent_objects_still_exist THEN
            -- A copy of this database on the same server has a tenant of the same id.
            NULL;
    END;
END
$function$;
