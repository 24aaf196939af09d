-- Makes the roles of a tenant those that its tokens need: an owner, and one for each set of operations in use.
-- Where there is no such tenant (any more), its roles go. `p_anew` grants again what roles that stand should have.
CREATE OR REPLACE FUNCTION postgate_internal.arrange_roles(p_database_id uuid, p_anew boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $function$
DECLARE
    owner_role CONSTANT text := postgate_internal.role_name(p_database_id, NULL);
    -- The workers of Citus log in as the current role. No password opens it: it could set one itself.
    login CONSTANT text := CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')
        THEN 'LOGIN VALID UNTIL ''-infinity''' ELSE 'NOLOGIN' END;
    tenant_schema text;
    needed record;
    doomed text;
BEGIN
    -- Of a database that is being deleted they own what is left; drop_batch comes here when nothing is.
    IF EXISTS (SELECT FROM postgate_internal.doomed AS d WHERE d.database_id = p_database_id) THEN
        RETURN;
    END IF;
    SELECT d.schema_name INTO tenant_schema
    FROM public.postgate_databases AS d
    WHERE d.id = p_database_id AND d.backend_type = 'schema'
        AND d.schema_name NOT IN ('public', 'information_schema', 'postgate_internal', 'postgate_helpers')
        AND NOT starts_with(d.schema_name, 'pg_') AND to_regnamespace(quote_ident(d.schema_name)) IS NOT NULL
    -- One at a time; the foreign key of a token that is being written holds only a weaker lock.
    FOR NO KEY UPDATE;

    IF FOUND THEN
        IF to_regrole(owner_role) IS NULL THEN
            EXECUTE format('CREATE ROLE %I %s', owner_role, login);
        END IF;
        p_anew := p_anew OR NOT postgate_internal.has_role(owner_role, tenant_schema);
        PERFORM postgate_internal.hold_role(owner_role, true);
        IF p_anew THEN
            EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', tenant_schema, owner_role);
            PERFORM postgate_internal.adopt_relations(tenant_schema, owner_role);
        END IF;
        FOR needed IN
            SELECT DISTINCT ON (n.role) n.role, t.allowed_operations AS operations
            FROM public.postgate_tokens AS t
            CROSS JOIN LATERAL postgate_internal.role_name(p_database_id, t.allowed_operations) AS n (role)
            WHERE t.database_id = p_database_id
        LOOP
            IF to_regrole(needed.role) IS NULL THEN
                EXECUTE format('CREATE ROLE %I %s', needed.role, login);
            END IF;
            IF p_anew OR NOT postgate_internal.has_role(needed.role, tenant_schema) THEN
                PERFORM postgate_internal.hold_role(needed.role, false);
                PERFORM postgate_internal.grant_operations(needed.role, owner_role, tenant_schema, needed.operations);
            END IF;
        END LOOP;
    END IF;

    FOR doomed IN
        SELECT r.rolname
        FROM pg_roles AS r
        -- All that begin with postgate_<id>_, by the index of names; ` comes after _.
        WHERE r.rolname >= left(owner_role, -5)::name AND r.rolname < (left(owner_role, -6) || '`')::name
            AND NOT (tenant_schema IS NOT NULL AND (r.rolname = owner_role OR r.rolname IN (
                SELECT postgate_internal.role_name(p_database_id, t.allowed_operations)
                FROM public.postgate_tokens AS t
                WHERE t.database_id = p_database_id
            )))
        -- Owners last: the others have grants from them.
        ORDER BY r.rolname = owner_role
    LOOP
        PERFORM postgate_internal.drop_role(doomed);
    END LOOP;
    IF tenant_schema IS NOT NULL THEN
        PERFORM postgate_internal.hold_role(owner_role, false);
    END IF;
END
$function$;
