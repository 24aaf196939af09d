-- A row that goes alone leaves a schema with a tenant's data, which nothing drops afterwards: who deletes has to say so by
-- delete_tenant_database, which notes the schema first.
CREATE OR REPLACE FUNCTION postgate_internal.refuse_orphans()
RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'postgate_databases cannot be truncated: the schemas of its rows would stay'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = 'SELECT delete_tenant_database(id) deletes a database with its schema.';
    END IF;
    IF OLD.id = '00000000-0000-0000-0000-000000000000' THEN
        RAISE EXCEPTION 'the admin database cannot be deleted' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF OLD.backend_type = 'schema' AND to_regnamespace(quote_ident(OLD.schema_name)) IS NOT NULL
        -- Only a tenant's schema has an owner of ours.
        AND to_regrole(postgate_internal.role_name(OLD.id, NULL)) IS NOT NULL
        AND NOT EXISTS (SELECT FROM postgate_internal.doomed AS d WHERE d.database_id = OLD.id)
    THEN
        RAISE EXCEPTION 'the schema "%" of database % would stay', OLD.schema_name, OLD.id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                HINT = format('SELECT delete_tenant_database(%L) deletes it with its schema.', OLD.id);
    END IF;
    RETURN OLD;
END
$function$;
