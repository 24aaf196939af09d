import hashlib
import re
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors
from support import walls

from postgate.executor.prologue import ENTER

ADMIN = UUID(int=0)
Row = tuple[object, ...]


def create(connection: psycopg.Connection, name: str = "shop") -> tuple[UUID, str]:
    row = connection.execute("SELECT id, schema_name FROM create_tenant_database(%s)", [name]).fetchone()
    assert row is not None
    return row


def one(connection: psycopg.Connection, query: str, *parameters: object) -> object:
    row = connection.execute(query.encode(), parameters or None).fetchone()
    assert row is not None
    return row[0]


WAYS = {"statement": ENTER, "function": walls.BY_FUNCTION}


@pytest.fixture(params=WAYS)
def enter(connection: psycopg.Connection, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Enter as the gateway does, with the version a look-up has just seen unless another is given."""

    def enter(token: str, version: str | None = None) -> None:
        digest = hashlib.sha256(token.encode()).hexdigest()
        if version is None:
            version = version_of(connection, digest)
        cursor = psycopg.RawCursor(connection)
        cursor.execute(WAYS[request.param], [digest, version, 1500, "", "postgate test"])

    return enter


def version_of(connection: psycopg.Connection, digest: str) -> str:
    query = """
        SELECT t.xmin::text || ':' || coalesce(d.xmin::text, '')
        FROM postgate_tokens AS t LEFT JOIN postgate_databases AS d ON d.id = t.database_id
        WHERE t.token_hash = %s"""
    row = connection.execute(query, [digest]).fetchone()
    return "" if row is None else row[0]


def test_the_admin_database_is_there(connection: psycopg.Connection) -> None:
    rows = connection.execute("SELECT id, name, backend_type, schema_name, max_rows FROM postgate_databases").fetchall()
    assert rows == [(ADMIN, "postgate_admin", "schema", "public", 1000)]


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("shop", "shop"),
        ("My Shop-2", "my_shop_2"),
        ('a"; DROP SCHEMA public; --', "a___drop_schema_public_"),
        ("Größe", "gr__e"),
        ("x" * 100, "x" * 23),
    ],
)
def test_create_tenant_database(connection: psycopg.Connection, name: str, cleaned: str) -> None:
    identity, schema = create(connection, name)
    assert schema == f"tenant_{identity.hex}_{cleaned}"
    assert len(schema.encode()) <= 63
    assert one(connection, "SELECT to_regnamespace(%s) IS NOT NULL", schema)
    row = connection.execute(
        "SELECT name, backend_type, schema_name, max_rows FROM postgate_databases WHERE id = %s", [identity]
    ).fetchone()
    assert row == (name, "schema", schema, 1000)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("''", "22023"),
        ("' '", "22023"),
        ("NULL", "22023"),
        ("'x', 0", "22023"),
        ("'x', NULL", "22023"),
        ("repeat('x', 101)", "22001"),
    ],
)
def test_create_tenant_database_refuses(connection: psycopg.Connection, arguments: str, error: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(f"SELECT create_tenant_database({arguments})".encode())
    assert caught.value.sqlstate == error
    assert one(connection, "SELECT count(*) FROM postgate_databases") == 1
    assert one(connection, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tenant%'") == 0


def test_delete_tenant_database_drops_schema_and_tokens(connection: psycopg.Connection) -> None:
    identity, schema = create(connection)
    connection.execute(f"CREATE TABLE {schema}.items (id int PRIMARY KEY)".encode())
    connection.execute("SELECT create_tenant_token(%s)", [identity])
    assert one(connection, "SELECT delete_tenant_database(%s)", identity) is True
    assert one(connection, "SELECT to_regnamespace(%s)", schema) is None
    assert one(connection, "SELECT count(*) FROM postgate_tokens") == 0
    assert one(connection, "SELECT delete_tenant_database(%s)", identity) is False
    assert one(connection, "SELECT delete_tenant_database(NULL)") is False


def test_delete_tenant_database_of_a_dedicated_one_drops_no_schema(connection: psycopg.Connection) -> None:
    connection.execute("CREATE SCHEMA kept")
    insert = """INSERT INTO postgate_databases (name, backend_type, schema_name, connection_string)
        VALUES ('d', 'dedicated', 'kept', 'dbname=x') RETURNING id"""
    identity = one(connection, insert)
    assert one(connection, "SELECT delete_tenant_database(%s)", identity) is True
    assert one(connection, "SELECT to_regnamespace('kept') IS NOT NULL")


@pytest.mark.parametrize("schema", ["pg_catalog", "information_schema", "postgate_internal", "postgate_helpers"])
def test_delete_tenant_database_spares_what_is_no_tenants(connection: psycopg.Connection, schema: str) -> None:
    insert = "INSERT INTO postgate_databases (name, schema_name) VALUES ('x', %s) RETURNING id"
    identity = one(connection, insert, schema)
    for spared in (identity, ADMIN):
        with pytest.raises(errors.ObjectNotInPrerequisiteState):
            connection.execute("SELECT delete_tenant_database(%s)", [spared])
    assert one(connection, "SELECT count(*) FROM postgate_databases") == 2


@pytest.mark.parametrize(
    ("permissions", "stored"),
    [
        (None, ["SELECT", "INSERT", "UPDATE", "DELETE"]),
        ([], []),
        (["SELECT"], ["SELECT"]),
        (["drop", " Create ", "SELECT", "select"], ["SELECT", "CREATE", "DROP"]),
    ],
)
def test_create_tenant_token(connection: psycopg.Connection, permissions: list[str] | None, stored: list[str]) -> None:
    identity, _ = create(connection)
    given: list[object] = [identity] if permissions is None else [identity, "app", permissions]
    places = ", ".join(["%s", "%s", "%s::text[]"][: len(given)])
    created = connection.execute(f"SELECT id, token FROM create_tenant_token({places})".encode(), given).fetchone()
    assert created is not None
    token_id, token = created
    assert re.fullmatch("pg_[0-9a-f]{64}", token)
    row = connection.execute(
        """SELECT database_id, name, token_hash, token_prefix, allowed_operations, last_used_at, expires_at
        FROM postgate_tokens WHERE id = %s""",
        [token_id],
    ).fetchone()
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert row == (identity, "app" if permissions is not None else "default", digest, token[:8], stored, None, None)


def test_tokens_differ(connection: psycopg.Connection) -> None:
    query = "SELECT token FROM generate_series(1, 20) AS n, create_tenant_token(%s, n::text)"
    assert len({row[0] for row in connection.execute(query, [ADMIN])}) == 20


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ("NULL", "23503", "no database NULL"),
        (f"'{uuid4()}'", "23503", "no database"),
        (f"'{ADMIN}', ''", "22023", "must not be empty"),
        (f"'{ADMIN}', NULL", "22023", "must not be empty"),
        (f"'{ADMIN}', 'x', NULL", "22023", "SELECT, INSERT"),
        (f"'{ADMIN}', 'x', ARRAY['GRANT']", "22023", "SELECT, INSERT"),
        (f"'{ADMIN}', 'x', ARRAY['SELECT', NULL]", "22023", "SELECT, INSERT"),
        (f"'{ADMIN}', 'taken'", "23505", 'named "taken" already'),
    ],
)
def test_create_tenant_token_refuses(connection: psycopg.Connection, arguments: str, error: str, text: str) -> None:
    connection.execute("SELECT create_tenant_token(%s, 'taken')", [ADMIN])
    with pytest.raises(psycopg.Error, match=text) as caught:
        connection.execute(f"SELECT create_tenant_token({arguments})".encode())
    assert caught.value.sqlstate == error


def test_delete_tenant_token(connection: psycopg.Connection) -> None:
    token_id = one(connection, "SELECT id FROM create_tenant_token(%s)", ADMIN)
    assert one(connection, "SELECT delete_tenant_token(%s)", token_id) is True
    assert one(connection, "SELECT delete_tenant_token(%s)", token_id) is False


def test_the_exact_types_of_the_functions(connection: psycopg.Connection) -> None:
    query = """
        SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || pg_get_function_result(p.oid)
        FROM pg_proc AS p
        WHERE p.pronamespace IN ('public'::regnamespace, 'postgate_helpers'::regnamespace)
        ORDER BY 1"""
    dml = "ARRAY['SELECT'::text, 'INSERT'::text, 'UPDATE'::text, 'DELETE'::text]"
    assert [row[0] for row in connection.execute(query)] == [
        "columns_of(p_schema text, p_table text) -> TABLE(column_name text, data_type text, is_nullable boolean,"
        " column_default text, is_primary_key boolean, foreign_keys text[], indexes text[], comment text)",
        "create_tenant_database(p_name character varying, p_max_rows integer DEFAULT 1000)"
        " -> TABLE(id uuid, schema_name character varying)",
        "create_tenant_token(p_database_id uuid, p_name character varying DEFAULT 'default'::character varying,"
        f" p_permissions text[] DEFAULT {dml}) -> TABLE(id uuid, token text)",
        "delete_tenant_database(p_database_id uuid) -> boolean",
        "delete_tenant_token(p_token_id uuid) -> boolean",
        "describe_schema() -> jsonb",
        "describe_table(p_table_name text) -> TABLE(column_name text, data_type text, is_nullable boolean,"
        " column_default text, is_primary_key boolean, foreign_keys text[], indexes text[], comment text)",
        "description_of(p_schema text) -> jsonb",
        "list_tables() -> TABLE(table_name text, row_count bigint, kind text)",
        "relations_of(p_schema text) -> TABLE(name text, kind text, is_counted boolean)",
        "usage() -> TABLE(day date, requests bigint, refused bigint, rows bigint, bytes bigint,"
        " database_ms double precision)",
    ]


def test_only_the_helpers_are_everyones(connection: psycopg.Connection) -> None:
    query = """
        SELECT p.proname FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('public', 'postgate_internal', 'postgate_helpers')
            AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
        ORDER BY 1"""
    names = [
        "columns_of",
        "describe_schema",
        "describe_table",
        "description_of",
        "list_tables",
        "relations_of",
        "usage",
    ]
    assert [row[0] for row in connection.execute(query)] == names


def test_a_hostile_search_path_does_not_mislead_the_functions(connection: psycopg.Connection) -> None:
    connection.execute("CREATE SCHEMA evil")
    connection.execute("CREATE FUNCTION evil.gen_random_uuid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'")
    connection.execute("CREATE TEMP TABLE postgate_databases (id uuid)")
    connection.execute("SET search_path = evil, pg_catalog")
    identity = one(connection, "SELECT id FROM public.create_tenant_database('x')")
    assert one(connection, "SELECT token FROM public.create_tenant_token(%s)", identity)


@pytest.fixture
def tenant(connection: psycopg.Connection) -> str:
    """A tenant's schema with odd names in it, made the first of the connection's search_path."""
    _, schema = create(connection)
    connection.execute(f"SET search_path = {schema}, pg_temp".encode())
    connection.execute('CREATE TABLE "Odd "" name" (n int)')
    connection.execute('INSERT INTO "Odd "" name" SELECT generate_series(1, 3)')
    connection.execute("CREATE TABLE parts (a int, b int) PARTITION BY LIST (a)")
    connection.execute("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)")
    connection.execute("INSERT INTO parts VALUES (1, 1)")
    connection.execute("CREATE VIEW seen AS SELECT * FROM parts")
    connection.execute("CREATE TEMP TABLE hidden (n int)")
    connection.execute(
        """CREATE TABLE items (
            a int, "B" text NOT NULL DEFAULT 'x', c numeric(10, 2)[], d timestamptz DEFAULT now(),
            PRIMARY KEY (a, d))"""
    )
    connection.execute("CREATE TABLE public.elsewhere (n int)")
    return schema


@pytest.mark.usefixtures("tenant")
def test_list_tables(connection: psycopg.Connection) -> None:
    rows = connection.execute("SELECT * FROM postgate_helpers.list_tables()").fetchall()
    assert rows == [
        ('Odd " name', 3, "table"),
        ("items", 0, "table"),
        ("parts", 1, "partitioned table"),
        ("parts_1", 1, "table"),
        ("seen", None, "view"),
    ]


@pytest.mark.usefixtures("tenant")
def test_describe_table(connection: psycopg.Connection) -> None:
    rows = connection.execute("SELECT * FROM postgate_helpers.describe_table('items')").fetchall()
    key = ["CREATE UNIQUE INDEX items_pkey ON items USING btree (a, d)"]
    assert rows == [
        ("a", "integer", False, None, True, [], key, None),
        ("B", "text", False, "'x'::text", False, [], [], None),
        ("c", "numeric(10,2)[]", True, None, False, [], [], None),
        ("d", "timestamp with time zone", False, "now()", True, [], key, None),
    ]


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize("name", ["missing", "elsewhere", "hidden", "ITEMS", "'", None])
def test_describe_table_of_what_is_not_in_the_schema(connection: psycopg.Connection, name: str | None) -> None:
    with pytest.raises(errors.UndefinedTable, match="does not exist") as raised:
        connection.execute("SELECT * FROM postgate_helpers.describe_table(%s)", [name])
    assert "list_tables()" in str(raised.value.diag.message_hint)


SETTINGS = {
    "statement_timeout": "1500ms",
    "idle_in_transaction_session_timeout": "1500ms",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "xmlbinary": "base64",
    "row_security": "on",
}


def settings(connection: psycopg.Connection) -> dict[str, str]:
    names = [*SETTINGS, "search_path", "transaction_read_only", "session_authorization"]
    return {name: str(one(connection, f"SHOW {name}")) for name in names}


@pytest.mark.parametrize(
    ("permissions", "read_only", "role"),
    [([], "on", "t"), (["SELECT"], "on", "ts"), (["SELECT", "INSERT"], "off", "tsi"), (["CREATE"], "off", "tc")],
)
def test_enter_sets_the_sandbox_for_one_transaction(
    connection: psycopg.Connection, enter: Callable[..., None], permissions: list[str], read_only: str, role: str
) -> None:
    identity, schema = create(connection)
    token = str(one(connection, "SELECT token FROM create_tenant_token(%s, 'x', %s::text[])", identity, permissions))
    connection.execute("SET DateStyle = 'German'; SET extra_float_digits = 0; SET TimeZone = 'Asia/Tokyo'")
    before = settings(connection)
    with connection.transaction():
        enter(token)
        expected = SETTINGS | {"search_path": f"{schema}, pg_temp", "transaction_read_only": read_only}
        expected["session_authorization"] = f"postgate_{UUID(str(identity)).hex}_{role}"
        expected |= {name: "1500ms" for name in expected if name.endswith("timeout")}
        assert settings(connection) == expected
    assert settings(connection) == before


def test_a_worker_of_the_previous_revision_goes_on(connection: psycopg.Connection) -> None:
    """Until the last of them is replaced they enter as they did, without a role."""
    identity, schema = create(connection)
    token = str(one(connection, "SELECT token FROM create_tenant_token(%s)", identity))
    digest = hashlib.sha256(token.encode()).hexdigest()
    with connection.transaction():
        version = version_of(connection, digest)
        connection.execute("SELECT postgate_internal.enter(%s, %s, 1500)", [digest, version])
        connection.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        assert one(connection, "SELECT current_schema()") == schema


def test_enter_of_the_admin_token_is_in_public(connection: psycopg.Connection, enter: Callable[..., None]) -> None:
    token = str(one(connection, "SELECT token FROM create_tenant_token(%s)", ADMIN))
    with connection.transaction():
        enter(token)
        assert one(connection, "SELECT current_schema()") == "public"


CHANGES = {
    "revoked": ("DELETE FROM postgate_tokens", "PX401"),
    "database gone": ("SELECT delete_tenant_database(%(database)s)", "PX401"),
    "row gone": (
        "ALTER TABLE postgate_tokens DROP CONSTRAINT postgate_tokens_database_id_fkey;"
        " ALTER TABLE postgate_databases DISABLE TRIGGER postgate_refuse_orphans;"
        " DELETE FROM postgate_databases WHERE id = '{database}'",
        "PX404",
    ),
    "expired": ("UPDATE postgate_tokens SET expires_at = now()", "PX401"),
    "permissions": ("UPDATE postgate_tokens SET allowed_operations = '{{}}'", "PX409"),
    "max_rows": ("UPDATE postgate_databases SET max_rows = 1", "PX409"),
    "expires later": ("UPDATE postgate_tokens SET expires_at = now() + '1 day'", "PX409"),
    "schema gone": ("DROP SCHEMA {schema}", "PX404"),
    "made dedicated": (
        "UPDATE postgate_databases SET backend_type = 'dedicated', connection_string = '' WHERE name = 'shop'",
        "PX409",
    ),
}


@pytest.mark.parametrize(("change", "sqlstate"), CHANGES.values(), ids=CHANGES.keys())
def test_enter_refuses_what_changed_since_the_look_up(
    connection: psycopg.Connection, enter: Callable[..., None], change: str, sqlstate: str
) -> None:
    identity, schema = create(connection)
    token = str(one(connection, "SELECT token FROM create_tenant_token(%s)", identity))
    version = version_of(connection, hashlib.sha256(token.encode()).hexdigest())
    change = change.replace("%(database)s", "'{database}'").format(database=identity, schema=schema)
    connection.execute(change.encode())
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        enter(token, version)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize("token", ["", "pg_" + "0" * 64])
def test_enter_refuses_an_unknown_token(enter: Callable[..., None], token: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        enter(token)
    assert caught.value.sqlstate == "PX401"


def test_enter_uses_the_index(connection: psycopg.Connection) -> None:
    connection.execute("SELECT create_tenant_token(%s, n::text) FROM generate_series(1, 500) AS n", [ADMIN])
    connection.execute("ANALYZE postgate_tokens")
    query = "EXPLAIN SELECT 1 FROM postgate_tokens AS t WHERE t.token_hash::text = 'x'::text"
    plan = "\n".join(row[0] for row in connection.execute(query))
    assert "postgate_tokens_token_hash_idx" in plan


def test_plain_sql_of_an_administrator_works(connection: psycopg.Connection) -> None:
    insert = "INSERT INTO postgate_databases (name, backend_type, connection_string, max_rows) VALUES ('d', %s, %s, 5)"
    connection.execute(insert, ["dedicated", "dbname=x"])
    with pytest.raises(errors.CheckViolation):
        connection.execute(insert, ["schema", "dbname=x"])
    with pytest.raises(errors.CheckViolation):
        connection.execute(insert, ["dedicated", None])
    with pytest.raises(errors.UniqueViolation):
        connection.execute("INSERT INTO postgate_databases (name, schema_name) VALUES ('x', 'public')")
