-- Keeps every function of this schema and name that stands here: the steps run backwards, the definition first.
WITH standing AS (
    SELECT
        p.oid,
        format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS identity,
        p.oid::regprocedure::text AS signature,
        coalesce(p.proacl, acldefault('f', p.proowner)) AS acl,
        p.proowner AS owner
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = %(schema)s AND p.proname = %(name)s AND p.prokind IN ('f', 'p')
), steps AS (
    SELECT
        s.oid,
        1 AS position,
        format('COMMENT ON ROUTINE %%s IS %%L', s.identity, obj_description(s.oid, 'pg_proc')) AS undo,
        NULL AS function
    FROM standing AS s
    WHERE obj_description(s.oid, 'pg_proc') IS NOT NULL
    UNION ALL
    SELECT s.oid, 2, format('GRANT EXECUTE ON ROUTINE %%s TO %%s', s.identity,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END), NULL
    FROM standing AS s
    CROSS JOIN aclexplode(s.acl) AS a
    WHERE a.grantee <> s.owner
    UNION ALL
    SELECT s.oid, 3, format('REVOKE ALL ON ROUTINE %%s FROM PUBLIC', s.identity), NULL
    FROM standing AS s
    UNION ALL
    SELECT s.oid, 4, format('ALTER ROUTINE %%s OWNER TO %%I', s.identity, pg_get_userbyid(s.owner)), NULL
    FROM standing AS s
    WHERE pg_get_userbyid(s.owner) <> current_user
    UNION ALL
    SELECT s.oid, 5, pg_get_functiondef(s.oid), s.signature
    FROM standing AS s
)
INSERT INTO public.postgate_adopted (undo, function)
SELECT undo, function FROM steps ORDER BY oid, position;
