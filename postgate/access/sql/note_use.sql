-- The tokens $1 were used now. Several processes may note the same token, and an administrator may be changing it:
-- neither is waited for.
UPDATE public.postgate_tokens AS t SET last_used_at = pg_catalog.now()
FROM (
    SELECT id FROM public.postgate_tokens
    WHERE id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.uuid[])
        AND coalesce(pg_catalog.age(pg_catalog.now(), last_used_at) OPERATOR(pg_catalog.>) '50 s', true)
    FOR UPDATE SKIP LOCKED
) AS used
WHERE t.id OPERATOR(pg_catalog.=) used.id
