-- The roles follow the row of a database, whoever writes it.
CREATE FUNCTION postgate_internal.follow_database()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM postgate_internal.arrange_roles(OLD.id, TG_OP = 'UPDATE');
    END IF;
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND NEW.id <> OLD.id THEN
        PERFORM postgate_internal.arrange_roles(NEW.id);
    END IF;
    RETURN NULL;
END
$function$;
