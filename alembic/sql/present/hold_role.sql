-- Makes the caller, and every admitted gateway, able to become a role; the caller with its privileges too when asked.
-- A superuser needs neither. Before PostgreSQL 16 a membership has no options, and no more can be said.
CREATE OR REPLACE FUNCTION postgate_internal.hold_role(p_role text, p_inherits boolean)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    gateway name;
    has_options CONSTANT boolean := current_setting('server_version_num')::integer >= 160000;
BEGIN
    FOR gateway IN
        SELECT g.role FROM postgate_internal.gateways AS g JOIN pg_roles AS r ON r.rolname = g.role
        UNION
        SELECT r.rolname FROM pg_roles AS r WHERE r.rolname = current_user AND NOT r.rolsuper
    LOOP
        EXECUTE format('GRANT %I TO %I', p_role, gateway) || CASE
            WHEN has_options THEN format(' WITH SET TRUE, INHERIT %s',
                CASE WHEN p_inherits AND gateway = current_user THEN 'TRUE' ELSE 'FALSE' END)
            ELSE ''
        END;
    END LOOP;
END
$function$;
