-- No pinned search_path: the caller's first schema is what is described.
CREATE FUNCTION postgate_helpers.describe_schema()
RETURNS jsonb
LANGUAGE sql
STABLE
AS $function$
    SELECT postgate_helpers.description_of(pg_catalog.current_schema()::pg_catalog.text)
$function$;
