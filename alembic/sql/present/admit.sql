-- Lets the service log in as a role that is no superuser, in a database that a superuser has migrated.
CREATE OR REPLACE FUNCTION postgate_internal.admit(p_gateway name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    tenant uuid;
BEGIN
    INSERT INTO postgate_internal.gateways (role) VALUES (p_gateway) ON CONFLICT DO NOTHING;
    EXECUTE format('GRANT USAGE ON SCHEMA public, information_schema, postgate_internal, postgate_helpers TO %I', p_gateway);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.postgate_databases, public.postgate_tokens, '
        'public.postgate_usage TO %I', p_gateway);
    EXECUTE format('GRANT SELECT ON postgate_internal.gateways, postgate_internal.definitions, public.postgate_alembic_version TO %I', p_gateway);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA information_schema TO %I', p_gateway);
    EXECUTE format('GRANT SELECT ON pg_class, pg_namespace, pg_proc, pg_type, pg_depend, pg_roles, pg_event_trigger, '
        'pg_language, pg_extension, pg_attribute, pg_database, pg_auth_members TO %I', p_gateway);
    EXECUTE format('GRANT EXECUTE ON FUNCTION aclexplode(aclitem[]), to_regtype(text), to_regproc(text), set_config(text, text, boolean), current_setting(text), '
        'current_setting(text, boolean), to_regnamespace(text), to_regrole(text), to_regclass(text), '
        'pg_advisory_xact_lock(bigint), has_parameter_privilege(name, text, text) TO %I', p_gateway);
    EXECUTE format('GRANT SET ON PARAMETER temp_file_limit TO %I', p_gateway);
    EXECUTE format('GRANT EXECUTE ON FUNCTION '
        'postgate_internal.enter(text, text, integer, text), postgate_internal.role_name(uuid, text[]), '
        'postgate_internal.has_role(text, text), postgate_internal.arrange_roles(uuid, boolean), '
        'postgate_internal.finish_deletions(), '
        'public.create_tenant_database(varchar, integer), public.delete_tenant_database(uuid), '
        'public.create_tenant_token(uuid, varchar, text[]), public.delete_tenant_token(uuid) TO %I', p_gateway);
    FOR tenant IN SELECT d.id FROM public.postgate_databases AS d LOOP
        PERFORM postgate_internal.arrange_roles(tenant, true);
    END LOOP;
END
$function$;
