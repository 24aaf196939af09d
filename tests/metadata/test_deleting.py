"""A database is deleted whatever its tenant has made of it, and whatever it is doing meanwhile."""

import time

import psycopg
import pytest
from support import walls
from support.service import Service, Tenant, definitions_in_a_loop

from postgate.metadata import migrate

# Of one batch, with the storage of long values, which is not counted beforehand.
MOST_LOCKS = 4_000
LEFT = """
    SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = %s), (SELECT count(*) FROM postgate_internal.doomed),
        (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'postgate\\_' || replace(%s, '-', '') || '%%')"""
GONE = [(0, 0, 0)]
KINDS = {
    "columns with sequences": [
        f"CREATE TABLE t{n} ({', '.join(f'c{i} serial' for i in range(500))}, v text)" for n in range(3)
    ],
    "indexes": ["CREATE TABLE t (a int, b text)", *["CREATE INDEX ON t (a)"] * 1_100],
    "partitions": [
        "CREATE TABLE p (a int, b text) PARTITION BY LIST (a)",
        *[f"CREATE TABLE p{n} PARTITION OF p FOR VALUES IN ({n})" for n in range(600)],
    ],
    "views on a table": ["CREATE TABLE t (a int)", *[f"CREATE VIEW v{n} AS SELECT a FROM t" for n in range(600)]],
    "types": ["CREATE TABLE t (a int)", *[f"CREATE DOMAIN d{n} AS int CHECK (VALUE > 0)" for n in range(1_100)]],
    "a bit of all": [
        "CREATE TYPE e AS ENUM ('a')",
        "CREATE DOMAIN d AS e",
        *[f"CREATE TABLE t{n} (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b d, c text)" for n in range(130)],
        *[f"ALTER TABLE t{n} ADD FOREIGN KEY (id) REFERENCES t{n + 1}" for n in range(129)],
        *[f"CREATE MATERIALIZED VIEW m{n} AS SELECT id, b FROM t{n}" for n in range(60)],
        *[f"CREATE VIEW v{n} AS SELECT b FROM m{n}" for n in range(60)],
        "CREATE SEQUENCE s",
        "CREATE STATISTICS st ON b, c FROM t4",
        "CREATE TABLE heir () INHERITS (t5)",
    ],
}


def make(service: Service, tenant: Tenant, statements: list[str]) -> None:
    """As one whose definitions nobody counts."""
    service.execute(f"SET search_path = {tenant.schema}; SET max_parallel_workers = 0; " + "; ".join(statements))


@pytest.mark.parametrize(
    "statement", ["DELETE FROM postgate_databases WHERE id = $1", "DELETE FROM postgate_databases"]
)
def test_no_row_goes_without_its_schema(service: Service, statement: str) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE kept (a int)", token=tenant.token)
    refused = service.query(statement, *[tenant.id] * statement.count("$1"))
    assert refused.code == "DATABASE_ERROR"
    assert refused.json["sqlstate"] == "55000"
    if "$1" in statement:
        assert f"SELECT delete_tenant_database('{tenant.id}')" in refused.json["hint"]
    assert service.query("SELECT * FROM kept", token=tenant.token).rows == []
    assert service.query("SELECT delete_tenant_database($1)", tenant.id).rows == [{"delete_tenant_database": True}]
    assert service.execute(LEFT, tenant.schema, tenant.id) == GONE


def test_the_rows_are_not_truncated(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as raised:
        connection.execute("TRUNCATE postgate_databases CASCADE")
    assert "delete_tenant_database" in str(raised.value.diag.message_hint)


@pytest.mark.parametrize(
    "row",
    [
        "('dedicated', 'kept', 'dbname=x')",
        "('schema', 'that_is_not_there', NULL)",
        "('schema', 'pg_catalog', NULL)",
    ],
)
def test_a_row_without_a_tenants_schema_goes(connection: psycopg.Connection, row: str) -> None:
    connection.execute("CREATE SCHEMA kept")
    columns = "name, backend_type, schema_name, connection_string"
    connection.execute(f"INSERT INTO postgate_databases ({columns}) VALUES ('x', {row[1:]}".encode())
    assert connection.execute("DELETE FROM postgate_databases WHERE name = 'x'").rowcount == 1


@pytest.mark.parametrize("kind", KINDS)
def test_much_is_dropped_in_batches(service: Service, kind: str) -> None:
    tenant, other = service.tenant(), service.tenant()
    make(service, other, ["CREATE TABLE kept (a int)"])
    for position in range(0, len(KINDS[kind]), 200):
        make(service, tenant, KINDS[kind][position : position + 200])
    assert service.query("SELECT delete_tenant_database($1)", tenant.id).rows == [{"delete_tenant_database": True}]
    assert service.query("SELECT 1 AS a", token=tenant.token).code == "UNAUTHORIZED"
    assert service.execute(LEFT, tenant.schema, tenant.id)[0][:2] == (1, 1)
    batches = 1
    with psycopg.connect(service.conninfo) as connection:
        while connection.execute("SELECT postgate_internal.finish_deletions()").fetchone() == (True,):
            held = connection.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()").fetchone()
            assert held is not None and held[0] < MOST_LOCKS
            connection.commit()
            batches += 1
        connection.commit()
    assert batches < 10
    assert service.execute(LEFT, tenant.schema, tenant.id) == GONE
    assert service.query("SELECT count(*) AS n FROM kept", token=other.token).rows == [{"n": 0}]


def test_the_workers_go_on_with_it(service: Service) -> None:
    tenant, other = service.tenant(), service.tenant()
    make(service, tenant, KINDS["columns with sequences"])
    assert service.query("SELECT delete_tenant_database($1)", tenant.id).rows
    # The thread looks once a second; a token that it has not seen is due at once.
    for number in range(100):
        assert service.query("SELECT 1 AS a", token=service.token(other.id, f"t{number}")).status == 200
        if service.execute(LEFT, tenant.schema, tenant.id) == GONE:
            return
        time.sleep(0.1)
    pytest.fail("it is still there")


def test_a_migration_goes_on_with_it(service: Service, conninfo: str) -> None:
    tenant = service.tenant()
    make(service, tenant, KINDS["columns with sequences"])
    service.execute("SELECT delete_tenant_database(%s)", tenant.id)
    with pytest.raises(migrate.MigrationError, match="not cleared away"):
        migrate.downgrade(conninfo, "0006")
    migrate.upgrade(conninfo)
    assert service.execute(LEFT, tenant.schema, tenant.id) == GONE


def test_a_tenant_that_alters_in_a_loop_is_deleted(conninfo: str) -> None:
    with walls.service_with("database", conninfo) as service:
        for _ in range(5):
            tenant = service.tenant()
            service.query("CREATE TABLE t (a int)", token=tenant.token)
            with definitions_in_a_loop(service, tenant, psycopg.Error):
                assert service.execute("SELECT delete_tenant_database(%s)", tenant.id) == [(True,)]
                assert service.query("SELECT 1 AS a", token=tenant.token).code == "UNAUTHORIZED"
            service.execute("SELECT postgate_internal.finish_deletions()")
            assert service.execute(LEFT, tenant.schema, tenant.id) == GONE


def test_a_tenant_in_a_long_transaction_is_deleted(service: Service) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int)", token=tenant.token)
    with psycopg.connect(service.conninfo) as connection:
        connection.execute(f"LOCK TABLE {tenant.schema}.t IN ACCESS SHARE MODE".encode())
        assert service.query("SELECT delete_tenant_database($1)", tenant.id).rows == [{"delete_tenant_database": True}]
        assert service.query("SELECT 1 AS a", token=tenant.token).code == "UNAUTHORIZED"
        # It is no obstacle for others that wait.
        assert service.execute("SELECT postgate_internal.finish_deletions()") == [(False,)]
    service.execute("SELECT postgate_internal.finish_deletions()")
    assert service.execute(LEFT, tenant.schema, tenant.id) == GONE
