"""What is sent again and again while what it names changes; and sessions that are not what they were."""

import psycopg
import pytest
from support.service import Service

READ = "SELECT * FROM t WHERE a = $1"
CHANGES = {
    "a column more": "ALTER TABLE t ADD COLUMN c int DEFAULT 7",
    "a column less": "ALTER TABLE t DROP COLUMN b",
    "another type": "ALTER TABLE t ALTER COLUMN b TYPE text",
    "another type of the parameter": "ALTER TABLE t ALTER COLUMN a TYPE text",
    "a wider type of the parameter": "ALTER TABLE t ALTER COLUMN a TYPE bigint",
    "dropped and made again": "DROP TABLE t; CREATE TABLE t (b int, a int); INSERT INTO t VALUES (2, 1)",
    "a view in its place": "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a, b + 1 AS b FROM u",
    "an index": "CREATE INDEX ON t (a)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_the_table_is_never_seen_as_an_error(service: Service, change: str) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int, b int)", token=tenant.token)
    service.query("INSERT INTO t VALUES (1, 2)", token=tenant.token)
    for _ in range(8):
        assert service.query(READ, 1, token=tenant.token).rows == [{"a": 1, "b": 2}]
    service.execute(f"SET search_path = {tenant.schema}; {change}")
    for value in (1, 1, 1, 3_000_000_000 if "bigint" in change else 1):
        answer = service.query(READ, value, token=tenant.token)
        with psycopg.connect(service.conninfo) as fresh:
            fresh.execute(f"SET search_path = {tenant.schema}".encode())
            expected = fresh.execute(f"SELECT * FROM t WHERE a::text = '{value}'".encode())
            names = [column.name for column in expected.description or ()]
            assert answer.rows == [dict(zip(names, row, strict=True)) for row in expected.fetchall()]


def test_a_write_is_run_once(service: Service) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int, b int)", token=tenant.token)
    for number in range(4):
        assert service.query("INSERT INTO t VALUES ($1, $2) RETURNING *", number, 1, token=tenant.token).status == 200
    service.execute(f"ALTER TABLE {tenant.schema}.t ADD COLUMN c int DEFAULT 7")
    answer = service.query("INSERT INTO t VALUES ($1, $2) RETURNING *", 4, 1, token=tenant.token)
    assert answer.rows == [{"a": 4, "b": 1, "c": 7}]
    assert service.execute(f"SELECT count(*) FROM {tenant.schema}.t") == [(5,)]


def test_one_text_of_many_tenants(service: Service) -> None:
    tenants = [service.tenant() for _ in range(5)]
    for number, tenant in enumerate(tenants):
        service.execute(f"CREATE TABLE {tenant.schema}.t AS SELECT 1 AS a, {number} AS b")
    for _ in range(4):
        for number, tenant in enumerate(tenants):
            assert service.query(READ, 1, token=tenant.token).rows == [{"a": 1, "b": number}]


def test_privileges_are_checked_each_time(service: Service) -> None:
    tenant = service.tenant()
    reader = service.token(tenant.id, "reader", ("SELECT",))
    service.query("CREATE TABLE t (a int, b int)", token=tenant.token)
    for _ in range(4):
        assert service.query(READ, 1, token=reader).status == 200
        assert service.query(READ, 1, token=tenant.token).status == 200
    service.execute("UPDATE postgate_tokens SET allowed_operations = '{INSERT}' WHERE name = 'reader'")
    assert service.query(READ, 1, token=reader).code == "PARSE_ERROR"
    service.execute(f"REVOKE SELECT ON {tenant.schema}.t FROM postgate_{tenant.id.replace('-', '')}_tsiudcar")
    assert service.query(READ, 1, token=tenant.token).json["sqlstate"] == "42501"


def test_types_of_parameters_may_change_from_one_request_to_the_next(service: Service) -> None:
    tenant = service.tenant()
    for _ in range(3):
        assert service.query("SELECT $1 AS v", 1, token=tenant.token).rows == [{"v": 1}]
        assert service.query("SELECT $1 AS v", "x", token=tenant.token).rows == [{"v": "x"}]
        assert service.query("SELECT $1 AS v", True, token=tenant.token).rows == [{"v": True}]
        assert service.query("SELECT $1 AS v", {"a": [1]}, token=tenant.token).rows == [{"v": {"a": [1]}}]


def test_errors_of_a_prepared_statement_are_those_of_the_text(service: Service) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (a int PRIMARY KEY, b int)", token=tenant.token)
    for _ in range(4):
        answer = service.query(READ, "x", token=tenant.token)
        assert (answer.code, answer.json["sqlstate"]) == ("DATABASE_ERROR", "22P02")
        assert service.query("SELECT a / $1 AS q FROM t", 1, token=tenant.token).rows == []
    service.query("INSERT INTO t VALUES (1, 1)", token=tenant.token)
    for _ in range(4):
        assert service.query("SELECT a / $1 AS q FROM t", 0, token=tenant.token).json["sqlstate"] == "22012"
        answer = service.query("INSERT INTO t VALUES ($1, 1)", 1, token=tenant.token)
        assert (answer.json["sqlstate"], answer.json["constraint"]) == ("23505", "t_pkey")


def test_more_texts_than_a_connection_keeps(service: Service) -> None:
    for _ in range(2):
        for number in range(300):
            assert service.query(f"SELECT $1::int + {number} AS v", 1).rows == [{"v": number + 1}]


def test_a_session_that_has_lost_them(service: Service) -> None:
    """What a pooler does, or an administrator's DISCARD ALL: the text is run all the same."""
    tenant = service.tenant()
    assert service.app is not None
    pools = service.app.extensions["postgate"].pools
    for _ in range(4):
        assert service.query("SELECT $1::int AS v", 1, token=tenant.token).rows == [{"v": 1}]

    def session() -> object:
        with pools.connection(pools.shared) as connection:
            return connection.pgconn.backend_pid

    first = session()
    for _ in range(2):
        with pools.connection(pools.shared) as connection:
            connection.execute("DISCARD ALL")
        for _ in range(4):
            assert service.query("SELECT $1::int AS v", 1, token=tenant.token).rows == [{"v": 1}]
    assert session() == first


def test_a_session_where_others_have_prepared_the_same(service: Service) -> None:
    tenant = service.tenant()
    assert service.app is not None
    pools = service.app.extensions["postgate"].pools
    for _ in range(4):
        assert service.query("SELECT $1::int AS v", 1, token=tenant.token).rows == [{"v": 1}]
    with pools.connection(pools.shared) as connection:
        connection.prepared = {}
    for _ in range(4):
        assert service.query("SELECT $1::int AS v", 1, token=tenant.token).rows == [{"v": 1}]
