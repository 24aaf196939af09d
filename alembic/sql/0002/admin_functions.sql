-- A gateway that is no superuser calls them too. What runs with its owner's privileges must be ours, also where the
-- function stood before.
ALTER FUNCTION public.create_tenant_database(varchar, integer) OWNER TO CURRENT_USER;
ALTER FUNCTION public.delete_tenant_database(uuid) OWNER TO CURRENT_USER;
ALTER FUNCTION public.create_tenant_token(uuid, varchar, text[]) OWNER TO CURRENT_USER;
ALTER FUNCTION public.delete_tenant_token(uuid) OWNER TO CURRENT_USER;
ALTER FUNCTION public.create_tenant_database(varchar, integer) SECURITY DEFINER;
ALTER FUNCTION public.delete_tenant_database(uuid) SECURITY DEFINER;
ALTER FUNCTION public.create_tenant_token(uuid, varchar, text[]) SECURITY DEFINER;
ALTER FUNCTION public.delete_tenant_token(uuid) SECURITY DEFINER;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA postgate_internal FROM PUBLIC;
