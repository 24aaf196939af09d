-- Whether a tenant's role is there and has been given its grants in this database: roles are the whole server's.
CREATE OR REPLACE FUNCTION postgate_internal.has_role(p_role text, p_schema text)
RETURNS boolean
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT coalesce(bool_or(a.grantee = to_regrole(p_role)), false)
    FROM pg_namespace AS n
    CROSS JOIN aclexplode(n.nspacl) AS a
    WHERE n.nspname = p_schema
$function$;
