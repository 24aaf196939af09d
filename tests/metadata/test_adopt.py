"""A database that the original made and that is in use goes on, and can go back."""

import hashlib
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from support.catalog import schema_of
from support.paths import FIXTURES

from postgate.metadata import migrate

SHOP = UUID("11111111-1111-1111-1111-111111111111")
SCHEMA = f"tenant_{SHOP.hex}_shop"
HASH = hashlib.sha256(b"pg_" + b"a" * 64).hexdigest()
ORIGINAL = (FIXTURES / "original.sql").read_bytes()
ROWS = {
    "databases": "SELECT id, name, backend_type, schema_name, connection_string, max_rows, created_at"
    " FROM postgate_databases ORDER BY id",
    "tokens": "SELECT id, database_id, name, token_hash, token_prefix, allowed_operations, created_at, last_used_at"
    " FROM postgate_tokens ORDER BY id",
    "_sqlx_migrations": "SELECT * FROM _sqlx_migrations",
    "items": f"SELECT * FROM {SCHEMA}.items",
}
# Older and odder than the original is known to be: what lacks is added, what is in the way is replaced.
VARIANTS = {
    "as documented": "",
    "other parameter names": """
        DROP FUNCTION create_tenant_token(uuid, varchar, text[]);
        CREATE FUNCTION create_tenant_token(db uuid, n varchar DEFAULT 'default', p text[] DEFAULT ARRAY['SELECT'])
        RETURNS TABLE (id uuid, token text) LANGUAGE sql AS $$ SELECT db, n $$;""",
    "other return type": """
        DROP FUNCTION create_tenant_database(varchar, integer);
        CREATE FUNCTION create_tenant_database(p_name varchar, p_max_rows integer DEFAULT 1000)
        RETURNS uuid LANGUAGE sql AS $$ SELECT gen_random_uuid() $$;""",
    "other parameter types": """
        DROP FUNCTION create_tenant_database(varchar, integer);
        CREATE FUNCTION create_tenant_database(p_name text, p_max_rows bigint DEFAULT 1000)
        RETURNS TABLE (id uuid, schema_name text) LANGUAGE sql AS $$ SELECT gen_random_uuid(), p_name $$;
        CREATE FUNCTION create_tenant_database(p_name text)
        RETURNS uuid LANGUAGE sql AS $$ SELECT gen_random_uuid() $$;""",
    "another's functions": """
        CREATE ROLE {role};
        ALTER FUNCTION create_tenant_token(uuid, varchar, text[]) OWNER TO {role};
        DROP FUNCTION delete_tenant_database(uuid);
        CREATE FUNCTION delete_tenant_database(id uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
        ALTER FUNCTION delete_tenant_database(uuid) OWNER TO {role};""",
    "no functions": """
        DROP FUNCTION create_tenant_database, delete_tenant_database, create_tenant_token, delete_tenant_token;
        DROP SCHEMA postgate_helpers CASCADE;""",
    "bare tables": """
        ALTER TABLE postgate_databases DROP CONSTRAINT valid_backend, DROP CONSTRAINT unique_schema,
            ALTER max_rows DROP NOT NULL, ALTER max_rows DROP DEFAULT, ALTER created_at DROP NOT NULL;
        ALTER TABLE postgate_tokens DROP CONSTRAINT one_name_each,
            DROP CONSTRAINT postgate_tokens_database_id_fkey, ALTER allowed_operations DROP DEFAULT;
        DROP INDEX tokens_by_hash;""",
    "with pgcrypto": "CREATE EXTENSION pgcrypto;",
}


def rows_of(conninfo: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(conninfo) as connection:
        return {name: connection.execute(query.encode()).fetchall() for name, query in ROWS.items()}


@pytest.fixture(params=VARIANTS.keys())
def original(request: pytest.FixtureRequest, empty: str) -> Iterator[str]:
    """The conninfo of a database as the original left it, in one of several variants."""
    role = f"postgate_test_{psycopg.conninfo.conninfo_to_dict(empty)['dbname']}"[:60]
    variant = VARIANTS[request.param].replace("{role}", role)
    with psycopg.connect(empty, autocommit=True) as connection:
        available = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'pgcrypto'").rowcount
        if "pgcrypto" in variant and not available:
            pytest.skip("this server has no pgcrypto")
        connection.execute(ORIGINAL)
        connection.execute(variant.encode())
    yield empty
    with psycopg.connect(empty, autocommit=True) as connection:
        if "ROLE" in variant:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_adopting_keeps_every_row_and_going_back_restores_everything(original: str) -> None:
    rows, schema = rows_of(original), schema_of(original)
    migrate.upgrade(original)
    adopted = schema_of(original)
    assert rows_of(original) == rows
    migrate.downgrade(original, "base")
    assert rows_of(original) == rows
    assert schema_of(original) == schema
    migrate.upgrade(original)
    assert rows_of(original) == rows
    assert schema_of(original) == adopted


def test_the_tokens_in_use_go_on_working(original: str) -> None:
    migrate.upgrade(original)
    with psycopg.connect(original) as connection:
        version = """SELECT t.xmin::text || ':' || d.xmin::text
            FROM postgate_tokens AS t JOIN postgate_databases AS d ON d.id = t.database_id WHERE t.token_hash = %s"""
        row = connection.execute(version, [HASH]).fetchone()
        assert row is not None
        connection.execute("SELECT postgate_internal.enter(%s, %s, 1000, '')", [HASH, row[0]])
        assert connection.execute("SELECT * FROM items").fetchall() == [(1, "pen")]
        assert ("items", 1, "table") in connection.execute("SELECT * FROM postgate_helpers.list_tables()").fetchall()
        # A view of the tenant's on the original's function goes on as it was.
        listed = connection.execute("SELECT table_name FROM postgate_helpers.list_tables()").fetchall()
        if ("tables",) in listed:
            assert connection.execute("SELECT * FROM tables").fetchall() == [("items", 1)]


def test_the_functions_are_ours_then(original: str) -> None:
    migrate.upgrade(original)
    with psycopg.connect(original) as connection:
        created = connection.execute("SELECT id, schema_name FROM create_tenant_database('new')").fetchone()
        assert created is not None
        assert created[1] == f"tenant_{created[0].hex}_new"
        token = connection.execute("SELECT id, token FROM create_tenant_token(%s)", [created[0]]).fetchone()
        assert token is not None
        assert connection.execute("SELECT delete_tenant_token(%s)", [token[0]]).fetchone() == (True,)
        for known in (created[0], SHOP):
            assert connection.execute("SELECT delete_tenant_database(%s)", [known]).fetchone() == (True,)
        overloads = connection.execute(
            "SELECT count(*) FROM pg_proc WHERE proname IN ('create_tenant_database', 'create_tenant_token')"
        ).fetchone()
        assert overloads == (2,)


def test_the_adopted_tables_have_what_the_new_ones_have(original: str, conninfo: str) -> None:
    def essentials(conninfo: str) -> list[tuple[object, ...]]:
        query = """
            SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
            WHERE table_name IN ('postgate_databases', 'postgate_tokens') ORDER BY 1, 2"""
        with psycopg.connect(conninfo) as connection:
            return connection.execute(query).fetchall()

    migrate.upgrade(original)
    assert essentials(original) == essentials(conninfo)


def test_a_null_is_filled_with_its_default(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(ORIGINAL)
        connection.execute("ALTER TABLE postgate_databases ALTER max_rows DROP NOT NULL")
        connection.execute("UPDATE postgate_databases SET max_rows = NULL WHERE id = %s", [SHOP])
        migrate.upgrade(empty)
        row = connection.execute("SELECT max_rows FROM postgate_databases WHERE id = %s", [SHOP]).fetchone()
        assert row == (1000,)


def test_going_back_does_not_revive_an_expired_token(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(ORIGINAL)
        migrate.upgrade(empty)
        connection.execute("UPDATE postgate_tokens SET expires_at = now() - interval '1 s'")
        migrate.downgrade(empty, "base")
        assert connection.execute("SELECT FROM postgate_tokens").rowcount == 0
