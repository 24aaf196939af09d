"""The whole of what a migration can change, as comparable rows."""

import psycopg

QUERIES = {
    "schemas": """
        SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1""",
    "relations": """
        SELECT c.oid::regclass::text, c.relkind, c.relacl::text FROM pg_class AS c
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
