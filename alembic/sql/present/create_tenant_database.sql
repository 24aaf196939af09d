CREATE OR REPLACE FUNCTION public.create_tenant_database(p_name varchar, p_max_rows integer DEFAULT 1000)
RETURNS TABLE (id uuid, schema_name varchar)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    new_id uuid := gen_random_uuid();
    -- 40 bytes of prefix and id leave 23 of the 63 that a name may have.
    new_schema text := 'tenant_' || replace(new_id::text, '-', '') || '_'
        || left(regexp_replace(lower(p_name COLLATE "C"), '[^a-z0-9_]', '_', 'g'), 23);
BEGIN
    IF btrim(coalesce(p_name, '')) = '' THEN
        RAISE EXCEPTION 'the name of a database must not be empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_max_rows IS NULL OR p_max_rows < 1 THEN
        RAISE EXCEPTION 'max_rows must be at least 1' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('CREATE SCHEMA %I', new_schema);
    INSERT INTO public.postgate_databases (id, name, backend_type, schema_name, max_rows)
    VALUES (new_id, p_name, 'schema', new_schema, p_max_rows);
    RETURN QUERY SELECT new_id, new_schema::varchar;
END
$function$;
