-- Whoever defines or changes something, in whatever way: a tenant, an administrator in psql, an extension.
CREATE OR REPLACE FUNCTION postgate_internal.note_definition()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- These change neither what a name means nor a type; privileges are checked whenever a statement runs.
    IF tg_tag IN ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES', 'COMMENT', 'SECURITY LABEL', 'REFRESH MATERIALIZED VIEW',
        'CREATE STATISTICS', 'ALTER STATISTICS')
    THEN
        RETURN;
    END IF;
    PERFORM postgate_internal.note_schemas(array_agg(DISTINCT coalesce(c.schema_name, '')))
    FROM pg_event_trigger_ddl_commands() AS c
    -- Nobody remembers anything of a schema that is new, nor of a session's own.
    WHERE c.object_type <> 'schema' AND coalesce(c.schema_name, '') !~ '^pg_temp' AND c.command_tag NOT IN ('GRANT', 'REVOKE')
    HAVING count(*) > 0;
END
$function$;
