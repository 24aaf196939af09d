-- The tenant's role that the transaction entered, also inside a SECURITY DEFINER function; NULL for anybody else.
CREATE OR REPLACE FUNCTION postgate_internal.acting_role()
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT r.role
    FROM (SELECT CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END) AS r (role)
    WHERE r.role ~ '^postgate_[0-9a-f]{32}_'
$function$;
