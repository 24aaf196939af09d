CREATE OR REPLACE FUNCTION public.create_tenant_token(
    p_database_id uuid,
    p_name varchar DEFAULT 'default',
    p_permissions text[] DEFAULT ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']
)
RETURNS TABLE (id uuid, token text)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    operations CONSTANT text[] := ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'CREATE', 'ALTER', 'DROP'];
    given text[] := ARRAY(SELECT upper(btrim(p) COLLATE "C") FROM unnest(p_permissions) AS p);
    -- Three random UUIDs hold 366 bits from the server's strong random source.
    new_token text := 'pg_' || encode(sha256(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
    new_id uuid;
BEGIN
    IF btrim(coalesce(p_name, '')) = '' THEN
        RAISE EXCEPTION 'the name of a token must not be empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_permissions IS NULL OR array_position(given, NULL) IS NOT NULL OR NOT given <@ operations THEN
        RAISE EXCEPTION 'permissions must be among %', array_to_string(operations, ', ')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM public.postgate_databases AS d WHERE d.id = p_database_id) THEN
        RAISE EXCEPTION 'there is no database %', coalesce(p_database_id::text, 'NULL')
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO public.postgate_tokens AS t (database_id, name, token_hash, token_prefix, allowed_operations)
    VALUES (
        p_database_id,
        p_name,
        encode(sha256(convert_to(new_token, 'UTF8')), 'hex'),
        left(new_token, 8),
        ARRAY(SELECT o FROM unnest(operations) WITH ORDINALITY AS u (o, position) WHERE o = ANY (given) ORDER BY position)
    )
    ON CONFLICT (database_id, name) DO NOTHING
    RETURNING t.id INTO new_id;
    IF new_id IS NULL THEN
        RAISE EXCEPTION 'the database % has a token named "%" already', p_database_id, p_name
            USING ERRCODE = 'unique_violation';
    END IF;
    RETURN QUERY SELECT new_id, new_token;
END
$function$;
