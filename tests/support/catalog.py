"""The whole of what a migration can change, as comparable rows."""

import psycopg

QUERIES = {
    "schemas": """
        SELECT nspname, ARRAY(SELECT a::text FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) AS a ORDER BY 1)
        FROM pg_namespace WHERE nspname !~ '^pg_toast|^pg_temp' ORDER BY 1""",
    "roles": """
        SELECT DISTINCT r.rolname FROM pg_shdepend AS s JOIN pg_roles AS r ON r.oid = s.refobjid
        WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND r.rolname ~ '^postgate_'
        ORDER BY 1""",
    "open to all": """
        SELECT 'function', p.oid::regprocedure::text FROM pg_proc AS p
        CROSS JOIN aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
        WHERE a.grantee = 0 AND p.pronamespace = 'pg_catalog'::regnamespace
        UNION ALL
        SELECT a.privilege_type, c.oid::regclass::text FROM pg_class AS c CROSS JOIN aclexplode(c.relacl) AS a
        WHERE a.grantee = 0 AND c.relnamespace = 'pg_catalog'::regnamespace
        UNION ALL
        SELECT a.privilege_type, c.attrelid::regclass::text || '.' || c.attname
        FROM pg_attribute AS c CROSS JOIN aclexplode(c.attacl) AS a
        WHERE a.grantee = 0
        UNION ALL
        SELECT 'language', l.lanname FROM pg_language AS l
        CROSS JOIN aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) AS a WHERE a.grantee = 0
        ORDER BY 1, 2""",
    "event triggers": """
        SELECT evtname, evtevent FROM pg_event_trigger ORDER BY 1""",
    "relations": """
        SELECT c.oid::regclass::text, c.relkind, c.relowner::regrole::text, ARRAY(
            SELECT a::text
            FROM unnest(coalesce(
                c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))) AS a
            ORDER BY 1)
        FROM pg_class AS c
        WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)')
        ORDER BY 1""",
    "columns": """
        SELECT table_schema, table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema !~ '^(pg_|information_schema)'
        ORDER BY table_schema, table_name, column_name""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid <> 0 AND contype <> 'n' AND connamespace <> 'pg_catalog'::regnamespace
        ORDER BY 1, 2""",
    "indexes": """
        SELECT indexdef FROM pg_indexes WHERE schemaname !~ '^pg_' ORDER BY 1""",
    "functions": """
        SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'),
            ARRAY(SELECT a::text FROM unnest(coalesce(p.proacl, acldefault('f', p.proowner))) AS a ORDER BY 1)
        FROM pg_proc AS p
        WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)')
            AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
        ORDER BY 1""",
}


def schema_of(conninfo: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(conninfo) as connection:
        return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}
