-- The role of a tenant's tokens with these operations: a letter for each. Without operations: the owner of its relations.
CREATE OR REPLACE FUNCTION postgate_internal.role_name(p_database_id uuid, p_operations text[])
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $function$
    SELECT 'postgate_' OPERATOR(pg_catalog.||) pg_catalog.replace(p_database_id::pg_catalog.text, '-', '')
        OPERATOR(pg_catalog.||) '_' OPERATOR(pg_catalog.||) CASE
            WHEN p_operations IS NULL THEN 'owner'
            ELSE 't'
                OPERATOR(pg_catalog.||) CASE WHEN 'SELECT' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 's' ELSE '' END
                OPERATOR(pg_catalog.||) CASE WHEN 'INSERT' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 'i' ELSE '' END
                OPERATOR(pg_catalog.||) CASE WHEN 'UPDATE' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 'u' ELSE '' END
                OPERATOR(pg_catalog.||) CASE WHEN 'DELETE' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 'd' ELSE '' END
                OPERATOR(pg_catalog.||) CASE WHEN 'CREATE' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 'c' ELSE '' END
                OPERATOR(pg_catalog.||) CASE WHEN 'ALTER' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 'a' ELSE '' END
                OPERATOR(pg_catalog.||) CASE WHEN 'DROP' OPERATOR(pg_catalog.=) ANY (p_operations) THEN 'r' ELSE '' END
        END
$function$;
