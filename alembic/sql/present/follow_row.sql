-- The roles follow the rows of databases and tokens, whoever writes them. The argument is the column with the database's id.
CREATE OR REPLACE FUNCTION postgate_internal.follow_row()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    old_id CONSTANT uuid := to_jsonb(OLD) ->> TG_ARGV[0];
    new_id CONSTANT uuid := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    IF old_id IS NOT NULL THEN
        PERFORM postgate_internal.arrange_roles(old_id, TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'postgate_databases');
    END IF;
    IF new_id IS DISTINCT FROM old_id AND new_id IS NOT NULL THEN
        PERFORM postgate_internal.arrange_roles(new_id);
    END IF;
    RETURN NULL;
END
$function$;
