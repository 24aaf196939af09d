-- Tenants without their owner's role, or without the role of one of their tokens.
SELECT d.id
FROM public.postgate_databases AS d
WHERE d.backend_type = 'schema' AND d.schema_name <> 'public'
    AND to_regnamespace(quote_ident(d.schema_name)) IS NOT NULL
    AND (
        NOT postgate_internal.has_role(postgate_internal.role_name(d.id, NULL), d.schema_name)
        OR EXISTS (
            SELECT FROM public.postgate_tokens AS t
            WHERE t.database_id = d.id
                AND NOT postgate_internal.has_role(
                    postgate_internal.role_name(d.id, t.allowed_operations), d.schema_name)
        )
    )
