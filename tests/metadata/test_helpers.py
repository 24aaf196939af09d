"""What the helpers tell a tenant of its schema, asked over HTTP as a tenant does."""

import json
from typing import Any

import psycopg
import pytest
from support.paths import FIXTURES
from support.service import Service, Tenant

from postgate.metadata import migrate

DEFINITIONS = (FIXTURES / "described.sql").read_text().split(";")


@pytest.fixture(scope="module")
def tenant(shared_service: Service) -> Tenant:
    tenant = shared_service.tenant()
    for sql in DEFINITIONS:
        assert shared_service.query(sql, token=tenant.token).status == 200, sql
    return tenant


def ask(service: Service, tenant: Tenant, sql: str, *params: object) -> list[dict[str, Any]]:
    answer = service.query(sql, *params, token=tenant.token)
    # No name of a schema is of use to a tenant.
    assert tenant.schema not in answer.text
    return answer.rows


def test_list_tables_has_every_kind(shared_service: Service, tenant: Tenant) -> None:
    assert ask(shared_service, tenant, "SELECT * FROM postgate_helpers.list_tables()") == [
        {"table_name": "counted", "row_count": 1, "kind": "materialized view"},
        {"table_name": "empty", "row_count": None, "kind": "materialized view"},
        {"table_name": "grown", "row_count": None, "kind": "view"},
        {"table_name": "orders", "row_count": 0, "kind": "table"},
        {"table_name": "users", "row_count": 0, "kind": "table"},
    ]


def test_describe_table_has_all_of_a_column(shared_service: Service, tenant: Tenant) -> None:
    columns = ask(shared_service, tenant, "SELECT * FROM postgate_helpers.describe_table($1)", "users")
    assert list(columns[0])[:5] == ["column_name", "data_type", "is_nullable", "column_default", "is_primary_key"]
    assert [(c["column_name"], c["data_type"], c["column_default"]) for c in columns] == [
        ("id", "integer", None),
        ("name", "character varying(40)", None),
        ("m", "mood", "'well'::mood"),
        ("years", "age", None),
        ("price", "numeric(10,2)[]", None),
        ("small", "text", None),
        ("note", "text", "'public.x'::text"),
    ]
    assert [c["is_nullable"] for c in columns] == [False, False, True, True, True, True, True]
    assert columns[1]["comment"] == "as it is called"
    columns = ask(shared_service, tenant, "SELECT * FROM postgate_helpers.describe_table('orders')")
    user, default = columns[1], columns[3]["column_default"]
    assert user["foreign_keys"] == ["FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE"]
    assert user["indexes"] == ["CREATE UNIQUE INDEX by_user ON orders USING btree (user_id, n)"]
    assert default == "nextval('numbers'::regclass)"
    for view in ("grown", "counted", "empty"):
        assert ask(shared_service, tenant, "SELECT * FROM postgate_helpers.describe_table($1)", view)


def test_a_missing_table_is_an_error(shared_service: Service, tenant: Tenant) -> None:
    answer = shared_service.query(
        "SELECT * FROM postgate_helpers.describe_table('postgate_tokens')", token=tenant.token
    )
    assert (answer.code, answer.json["sqlstate"]) == ("DATABASE_ERROR", "42P01")
    assert "list_tables()" in answer.json["hint"]


def test_describe_schema_is_one_row_with_all(shared_service: Service, tenant: Tenant) -> None:
    (row,) = ask(shared_service, tenant, "SELECT postgate_helpers.describe_schema() AS described")
    described = row["described"]
    assert described.keys() == {"tables", "types", "sequences", "functions"}
    tables = {table["name"]: table for table in described["tables"]}
    assert {name: table["kind"] for name, table in tables.items()} == {
        "counted": "materialized view",
        "empty": "materialized view",
        "grown": "view",
        "orders": "table",
        "users": "table",
    }
    users, orders = tables["users"], tables["orders"]
    assert (users["comment"], users["primary_key"]) == ("who buys", ["id"])
    columns = {column.pop("name"): column for column in users["columns"]}
    assert list(columns) == ["id", "name", "m", "years", "price", "small", "note"]
    assert columns["id"] == {"type": "integer", "nullable": False, "identity": "always"}
    assert columns["name"] == {"type": "character varying(40)", "nullable": False, "comment": "as it is called"}
    assert columns["m"] == {"type": "mood", "nullable": True, "default": "'well'::mood"}
    assert columns["small"] == {"type": "text", "nullable": True, "generated": "lower((name)::text)"}
    assert orders["foreign_keys"] == [
        {
            "name": "orders_user_id_fkey",
            "columns": ["user_id"],
            "table": "users",
            "references": ["id"],
            "definition": "FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
        }
    ]
    assert orders["checks"] == [{"name": "orders_n_check", "definition": "CHECK (n > 0)"}]
    assert [index["name"] for index in orders["indexes"] if index["unique"]] == ["by_user", "orders_pkey"]
    assert "FROM users" in tables["grown"]["definition"]
    assert {kind["name"]: kind["kind"] for kind in described["types"]} == {
        "age": "domain",
        "mood": "enum",
        "pair": "composite",
    }
    assert described["types"][1]["labels"] == ["well", "ill"]
    assert described["sequences"] == ["numbers"]


def test_an_empty_schema_is_described_too(shared_service: Service) -> None:
    (row,) = ask(shared_service, shared_service.tenant(), "SELECT * FROM postgate_helpers.describe_schema()")
    assert row["describe_schema"] == {"tables": [], "types": [], "sequences": [], "functions": []}


def test_the_admin_sees_its_own(shared_service: Service) -> None:
    (row,) = shared_service.query("SELECT postgate_helpers.describe_schema() AS described").rows
    names = {table["name"] for table in row["described"]["tables"]}
    assert {"postgate_databases", "postgate_tokens"} <= names


@pytest.mark.parametrize("name", ["relations_of", "columns_of", "description_of"])
def test_no_tenant_asks_of_another_schema(shared_service: Service, tenant: Tenant, name: str) -> None:
    """The validator refuses it; what PostgreSQL would say without it."""
    other = shared_service.tenant()
    arguments = "$1, 't'" if name == "columns_of" else "$1"
    answer = shared_service.query(f"SELECT postgate_helpers.{name}({arguments})", tenant.schema, token=other.token)
    assert answer.code == "PARSE_ERROR"
    with psycopg.connect(shared_service.conninfo) as connection:
        connection.execute(f"SET LOCAL ROLE postgate_{other.id.replace('-', '')}_owner")
        call = f"SELECT postgate_helpers.{name}({arguments.replace('$1', '%s')})"
        try:
            told = [str(value) for row in connection.execute(call, [tenant.schema]) for value in row]
        except psycopg.errors.UndefinedTable:
            told = []
        assert "users" not in json.dumps(told)


def test_what_stands_in_the_tenants_schema_is_not_called(service: Service) -> None:
    """The helpers run as their owner, so nothing that they call may be found in the tenant's schema."""
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int PRIMARY KEY, b mood)".replace("mood", "text"), token=tenant.token)
    called = "LANGUAGE plpgsql AS $$ BEGIN RAISE 'it was called'; END $$"
    for function in (
        "jsonb_build_object(text, text) RETURNS jsonb",
        "format_type(oid, int4) RETURNS text",
        "pg_get_expr(pg_node_tree, oid) RETURNS text",
        "unnest(int2[]) RETURNS SETOF int2",
        "jsonb_agg(jsonb) RETURNS jsonb",
        "coalesced(text) RETURNS text",
    ):
        service.execute(f"CREATE FUNCTION {tenant.schema}.{function} {called}")
    service.execute(f"""
        CREATE FUNCTION {tenant.schema}.hostile(anyelement, anyelement) RETURNS boolean {called};
        CREATE OPERATOR {tenant.schema}.=
            (FUNCTION = {tenant.schema}.hostile, LEFTARG = anyelement, RIGHTARG = anyelement);
        CREATE FUNCTION {tenant.schema}.named(name, name) RETURNS boolean {called};
        CREATE OPERATOR {tenant.schema}.<> (FUNCTION = {tenant.schema}.named, LEFTARG = name, RIGHTARG = name)""")
    for sql in ("SELECT * FROM postgate_helpers.describe_table('t')", "SELECT postgate_helpers.describe_schema()"):
        assert service.query(sql, token=tenant.token).status == 200


def test_views_on_the_helpers_live_through_the_migration(empty: str) -> None:
    migrate.upgrade(empty, "0013")
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE TABLE things (a int)")
        for name, call in (("tables", "list_tables()"), ("columns", "describe_table('things')")):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM postgate_helpers.{call}".encode())
        before = [connection.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in ("tables", "columns")]
        migrate.upgrade(empty, "0014")
        after = [connection.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in ("tables", "columns")]
        assert after == before
        migrate.downgrade(empty, "0013")
        after = [connection.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in ("tables", "columns")]
        assert after == before
        connection.execute("DROP VIEW tables, columns")
        migrate.upgrade(empty)
        left = connection.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE '%until_0013'").fetchone()
        assert left == (0,)
