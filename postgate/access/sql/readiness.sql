-- The revision of the database, and what of the second wall is open: definitions that nobody judges, or what PUBLIC has
-- again of that which postgate_internal.harden() has taken (of each kind the worst). '' where it stands.
SELECT
    (SELECT pg_catalog.max(r.version_num) FROM public.postgate_alembic_version AS r),
    pg_catalog.concat_ws(', ',
        CASE WHEN (
            SELECT pg_catalog.count(*) FROM pg_catalog.pg_event_trigger AS e
            WHERE e.evtenabled OPERATOR(pg_catalog.<>) 'D' AND e.evtname OPERATOR(pg_catalog.=) ANY (ARRAY[
                'postgate_check_definition', 'postgate_adopt_definition', 'postgate_check_drops', 'postgate_note_definition',
                'postgate_note_drops', 'postgate_check_options', 'postgate_check_bounds', 'postgate_check_rewrite'
            ]::pg_catalog.name[])
        ) OPERATOR(pg_catalog.<) 8 THEN 'event triggers' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
                AND p.proname OPERATOR(pg_catalog.=) ANY (ARRAY[
                    'set_config', 'query_to_xml', 'pg_read_file', 'pg_ls_dir', 'lo_from_bytea', 'pg_terminate_backend'
                ]::pg_catalog.name[])
                AND (p.proacl IS NULL OR EXISTS (
                    SELECT FROM pg_catalog.aclexplode(p.proacl) AS a WHERE a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid
                ))
        ) THEN 'functions' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_language AS l
            WHERE l.lanpltrusted AND (l.lanacl IS NULL OR EXISTS (
                SELECT FROM pg_catalog.aclexplode(l.lanacl) AS a WHERE a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid
            ))
        ) THEN 'languages' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_namespace AS n, pg_catalog.aclexplode(n.nspacl) AS a
            WHERE n.nspname OPERATOR(pg_catalog.=) 'public'::pg_catalog.name
                AND a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid
        ) THEN 'schema public' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
            WHERE c.relnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace
                AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_class', 'pg_stat_activity']::pg_catalog.name[])
                AND a.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid
        ) THEN 'the catalog' END
    )
