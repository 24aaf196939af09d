-- Make the roles that the tenant of the token with the hash $1 lacks.
SELECT postgate_internal.arrange_roles(t.database_id)
FROM public.postgate_tokens AS t
WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
