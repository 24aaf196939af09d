CREATE OR REPLACE FUNCTION public.delete_tenant_token(p_token_id uuid)
RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    DELETE FROM public.postgate_tokens AS t WHERE t.id = p_token_id;
    RETURN FOUND;
END
$function$;
