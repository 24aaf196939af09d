-- The roles follow the row of a token, whoever writes it.
CREATE FUNCTION postgate_internal.follow_token()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM postgate_internal.arrange_roles(OLD.database_id);
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.database_id <> OLD.database_id THEN
        PERFORM postgate_internal.arrange_roles(NEW.database_id);
    END IF;
    RETURN NULL;
END
$function$;
