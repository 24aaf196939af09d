-- What the caller's own database has used: the tenant's that the transaction entered, the admin's for anybody else.
CREATE OR REPLACE FUNCTION postgate_helpers.usage()
RETURNS TABLE (day date, requests bigint, refused bigint, rows bigint, bytes bigint, database_ms double precision)
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT u.day, u.requests, u.refused, u.rows, u.bytes, u.database_ms
    FROM public.postgate_usage AS u
    WHERE u.database_id = coalesce(substr(postgate_internal.acting_role(), 10, 32), repeat('0', 32))::uuid
    ORDER BY u.day
$function$;
