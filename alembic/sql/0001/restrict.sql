REVOKE ALL ON FUNCTION
    public.create_tenant_database(varchar, integer),
    public.delete_tenant_database(uuid),
    public.create_tenant_token(uuid, varchar, text[]),
    public.delete_tenant_token(uuid),
    postgate_internal.enter(text, text, integer)
FROM PUBLIC;
