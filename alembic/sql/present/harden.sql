-- What only a superuser can do for the tenants' safety, as far as it is not done yet: functions that run with their
-- owner's privileges are a superuser's, event triggers judge definitions, and PUBLIC loses what a tenant has no business
-- with, which is noted so that soften() can give it back. Run again after an upgrade of PostgreSQL: its new functions are
-- open. Returns how many privileges were taken; NULL for anybody else than a superuser.
CREATE OR REPLACE FUNCTION postgate_internal.harden()
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $harden$
DECLARE
    taken record;
    count integer := 0;
    -- Volatile functions that change nothing but what the statement names.
    harmless CONSTANT text[] := ARRAY['array_sample', 'array_shuffle', 'bernoulli', 'clock_timestamp', 'currval',
        'gen_random_uuid', 'lastval', 'nextval', 'random', 'random_normal', 'setval', 'system', 'timeofday', 'uuidv4', 'uuidv7'];
BEGIN
    IF current_setting('is_superuser') <> 'on' THEN
        RETURN NULL;
    END IF;
    FOR taken IN
        SELECT format('ALTER FUNCTION %s OWNER TO CURRENT_USER', p.oid::regprocedure) AS statement
        FROM pg_proc AS p
        JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE NOT r.rolsuper AND (
            p.pronamespace IN ('postgate_internal'::regnamespace, 'postgate_helpers'::regnamespace)
            OR p.pronamespace = 'public'::regnamespace AND p.proname IN ('create_tenant_database',
                'delete_tenant_database', 'create_tenant_token', 'delete_tenant_token')
        )
        UNION ALL
        SELECT format('CREATE EVENT TRIGGER postgate_%s ON %s EXECUTE FUNCTION postgate_internal.%1$s()', e.name, e.event)
        FROM (VALUES
            ('check_definition', 'ddl_command_start'),
            ('adopt_definition', $$ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO',
                'CREATE VIEW', 'CREATE MATERIALIZED VIEW', 'CREATE SEQUENCE', 'CREATE TYPE', 'CREATE DOMAIN',
                'CREATE FOREIGN TABLE', 'ALTER TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER SEQUENCE',
                'ALTER TYPE', 'ALTER DOMAIN')$$),
            ('check_drops', 'sql_drop'),
            ('note_definition', 'ddl_command_end'),
            ('note_drops', 'sql_drop'),
            ('check_options', 'ddl_command_end'),
            ('check_bounds', 'ddl_command_end'),
            ('check_rewrite', 'table_rewrite')
        ) AS e (name, event)
        WHERE NOT EXISTS (SELECT FROM pg_event_trigger AS t WHERE t.evtname = 'postgate_' || e.name)
    LOOP
        EXECUTE taken.statement;
    END LOOP;
    FOR taken IN
        -- Code: DO blocks and functions.
        SELECT a.privilege_type AS privilege, format('LANGUAGE %I', l.lanname) AS object
        FROM pg_language AS l
        CROSS JOIN aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) AS a
        WHERE a.grantee = 0 AND l.lanpltrusted
        UNION ALL
        -- Functions that run text as SQL, change or tell settings, reach files, sessions, locks, large objects,
        -- replication, the log, snapshots, statistics, privileges or the catalog.
        SELECT a.privilege_type, format('FUNCTION %s', p.oid::regprocedure)
        FROM pg_proc AS p
        CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
        WHERE a.grantee = 0 AND p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
            AND (
                p.provolatile = 'v' AND p.proname <> ALL (harmless)
                OR p.proname ~ '_to_xml(schema|_and_xmlschema)?$'
                OR p.proname ~ '^(binary_upgrade|fmgr|has|inet_(client|server)|lo|RI_FKey|txid)_'
                OR p.proname ~ '^(acl|makeacl|to_reg)'
                OR p.proname ~ '^pg_' AND p.proname !~ ('^pg_(brin_|char_to_encoding|client_encoding|collation_for|column_size'
                    '|ddl_command_|dependencies_|encoding_|get_serial_sequence|input_|lsn|mcv_list_(in|out|recv|send)'
                    '|ndistinct_|node_tree_|size_|snapshot_|typeof)')
                OR p.proname IN ('col_description', 'current_query', 'current_setting', 'format_type', 'getpgusername',
                    'mxid_age', 'obj_description', 'row_security_active', 'setseed', 'shobj_description', 'ts_debug',
                    'ts_rewrite', 'ts_stat')
                OR p.proname = 'age' AND p.proargtypes[0] = 'xid'::regtype
                -- Their time is the product of the points of both, without a look at an interrupt: minutes for 100,000.
                OR p.proname IN ('path_distance', 'path_inter', 'poly_distance', 'poly_overlap')
                    AND current_setting('postgate.slow_functions', true) IS DISTINCT FROM 'on'
            )
        UNION ALL
        -- The catalog: neither the planner nor the resolution of names asks for a privilege on it.
        SELECT a.privilege_type, format('TABLE %s', c.oid::regclass)
        FROM pg_class AS c
        CROSS JOIN aclexplode(c.relacl) AS a
        WHERE a.grantee = 0 AND c.relnamespace = 'pg_catalog'::regnamespace
        UNION ALL
        SELECT format('%s (%I)', a.privilege_type, t.attname), format('TABLE %s', c.oid::regclass)
        FROM pg_class AS c
        JOIN pg_attribute AS t ON t.attrelid = c.oid
        CROSS JOIN aclexplode(t.attacl) AS a
        WHERE a.grantee = 0 AND c.relnamespace = 'pg_catalog'::regnamespace
        UNION ALL
        SELECT a.privilege_type, format('SCHEMA %I', n.nspname)
        FROM pg_namespace AS n
        CROSS JOIN aclexplode(n.nspacl) AS a
        WHERE a.grantee = 0 AND n.nspname IN ('public', 'information_schema')
        UNION ALL
        SELECT a.privilege_type, format('DATABASE %I', d.datname)
        FROM pg_database AS d
        CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE a.grantee = 0 AND d.datname = current_database() AND a.privilege_type <> 'CONNECT'
    LOOP
        INSERT INTO postgate_internal.hardened (undo)
        VALUES (format('GRANT %s ON %s TO PUBLIC', taken.privilege, taken.object))
        ON CONFLICT DO NOTHING;
        EXECUTE format('REVOKE %s ON %s FROM PUBLIC', taken.privilege, taken.object);
        count := count + 1;
    END LOOP;
    RETURN count;
END
$harden$;
