-- Give what the token with the hash $1 has made to the owner of its schema's relations.
SELECT postgate_internal.arrange_roles(t.database_id, true)
FROM public.postgate_tokens AS t
WHERE t.token_hash::pg_catalog.text OPERATOR(pg_catalog.=) $1
