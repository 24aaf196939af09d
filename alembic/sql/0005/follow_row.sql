-- The roles follow the rows of databases and tokens, whoever writes them. The argument is the column with the database's id.
-- A token's row changes in any case: what could not be arranged is arranged when a worker finds its role missing.
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
    IF TG_TABLE_NAME = 'postgate_tokens' THEN
        PERFORM postgate_internal.tidy_roles(d.id)
        FROM (SELECT DISTINCT i.id FROM (VALUES (old_id), (new_id)) AS i (id) WHERE i.id IS NOT NULL) AS d;
        RETURN NULL;
    END IF;
    IF old_id IS NOT NULL THEN
        PERFORM postgate_internal.arrange_roles(old_id, TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'postgate_databases');
    END IF;
    IF new_id IS DISTINCT FROM old_id AND new_id IS NOT NULL THEN
        PERFORM postgate_internal.arrange_roles(new_id);
    END IF;
    RETURN NULL;
END
$function$;
