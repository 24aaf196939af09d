"""A request has no session: of what one leaves in PostgreSQL's, no later one sees anything."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support import walls
from support.service import Service, Tenant, a_service

# Everything that a session of PostgreSQL carries from one transaction to the next.
STATE = {
    "prepared statements": "SELECT count(*) FROM pg_prepared_statements WHERE name NOT LIKE 'pg\\_%'",
    "cursors": "SELECT count(*) FROM pg_cursors WHERE name <> ''",
    "channels": "SELECT count(*) FROM pg_listening_channels()",
    "advisory locks": "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'",
    "settings": "SELECT count(*) FROM pg_settings WHERE source = 'session' AND name NOT IN ('client_encoding')",
    "role": "SELECT current_user = session_user AND current_setting('role') = 'none'",
    "tenant's setting": "SELECT coalesce(current_setting('postgate.operations', true), '')",
    "temporary objects": "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
    "read only": "SHOW transaction_read_only",
    "search path": "SHOW search_path",
}
ATTEMPTS = (
    "SELECT 1",
    "SET work_mem = '1MB'",
    "SET search_path = pg_catalog",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET ROLE NONE",
    "RESET ROLE",
    "SET SESSION AUTHORIZATION DEFAULT",
    "PREPARE p AS SELECT 1",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "LISTEN x",
    "CREATE TEMP TABLE t (a int)",
    "SELECT pg_advisory_lock(1)",
    "SELECT set_config('work_mem', '1MB', false)",
    "SELECT setseed(0.5)",
    "BEGIN",
    "COMMIT; SET work_mem = '1MB'",
    "ROLLBACK",
    "SAVEPOINT s",
    "DO $$ BEGIN PERFORM set_config('work_mem', '1MB', false); END $$",
    "LOAD 'plpgsql'",
    "SELECT 1 / 0",
)


@pytest.fixture
def one(conninfo: str) -> Iterator[Service]:
    """A service whose requests all have one connection."""
    with a_service(conninfo, pool_size=1) as service:
        yield service


def state(service: Service) -> dict[str, Any]:
    """What the session holds that the next request will have."""
    assert service.app is not None
    pools = service.app.extensions["postgate"].pools
    with pools.connection(pools.shared) as connection:
        return {name: connection.execute(query).fetchone() for name, query in STATE.items()}


@pytest.mark.parametrize("sql", ATTEMPTS)
def test_the_database_alone_leaves_nothing_behind(conninfo: str, sql: str) -> None:
    """With the validator taken down."""
    with walls.service_with("database", conninfo) as service:
        tenant = service.tenant()
        service.query("SELECT 1 AS a", token=tenant.token)
        before = state(service)
        for _ in range(2):
            service.query(sql, token=tenant.token)
            assert state(service) == before


def test_what_another_request_has_drawn_is_not_told(one: Service) -> None:
    tenant = one.tenant()
    reader = one.token(tenant.id, "reader", ("SELECT",))
    one.query("CREATE TABLE t (id serial, a int)", token=tenant.token)
    assert one.query("INSERT INTO t (a) VALUES (1) RETURNING id", token=tenant.token).rows == [{"id": 1}]
    for token in (tenant.token, reader):
        answer = one.query("SELECT currval('t_id_seq') AS v", token=token)
        assert answer.code == "PARSE_ERROR"
        assert "use RETURNING" in answer.json["error"]
        assert one.query("SELECT lastval() AS v", token=token).code == "PARSE_ERROR"
    # Drawn by the same request, or not drawn after all.
    assert one.query("SELECT nextval('t_id_seq') AS n, currval('t_id_seq') AS v", token=tenant.token).rows == [
        {"n": 2, "v": 2}
    ]
    sometimes = "SELECT CASE WHEN $1 THEN nextval('t_id_seq') END AS n, currval('t_id_seq') AS v"
    assert one.query(sometimes, True, token=tenant.token).rows == [{"n": 3, "v": 3}]
    assert one.query(sometimes, False, token=tenant.token).json["sqlstate"] == "55000"


def test_a_function_of_the_tenants_is_not_told_either(one: Service) -> None:
    """Made by an administrator; nobody knows what its body asks."""
    tenant = one.tenant()
    one.query("CREATE TABLE t (id serial)", token=tenant.token)
    one.execute(
        f"""CREATE FUNCTION {tenant.schema}.last() RETURNS bigint LANGUAGE sql AS 'SELECT lastval()';
        GRANT EXECUTE ON FUNCTION lastval() TO PUBLIC"""
    )
    one.query("INSERT INTO t DEFAULT VALUES", token=tenant.token)
    assert one.query("SELECT last() AS v", token=tenant.token).json["sqlstate"] == "55000"


def test_a_body_of_a_function_is_read_anew_for_each_tenant(one: Service) -> None:
    """PL/pgSQL remembers a function's plans for the life of a session."""
    tenants = [one.tenant() for _ in range(2)]
    one.execute("CREATE SCHEMA IF NOT EXISTS shared")
    for number, tenant in enumerate(tenants):
        one.query("CREATE TABLE t (a int)", token=tenant.token)
        one.query("INSERT INTO t VALUES ($1)", number, token=tenant.token)
    for _ in range(7):
        for number, tenant in enumerate(tenants):
            assert one.query("SELECT a FROM t", token=tenant.token).rows == [{"a": number}]
            assert one.query("SELECT row_count FROM postgate_helpers.list_tables()", token=tenant.token).rows == [
                {"row_count": 1}
            ]


def test_an_error_or_a_notice_of_one_request_is_not_in_the_next(one: Service) -> None:
    tenant = one.tenant()
    one.query("CREATE TABLE t (a int PRIMARY KEY)", token=tenant.token)
    for _ in range(3):
        one.query("CREATE TABLE IF NOT EXISTS t (a int)", token=tenant.token)
        assert one.query("INSERT INTO t VALUES (1), (1)", token=tenant.token).json["sqlstate"] == "23505"
        assert one.query("SELECT a FROM t", token=tenant.token).text == '{"rows":[],"row_count":0}'


def test_random_numbers_have_no_seed_of_another_request(one: Service) -> None:
    tenants = [one.tenant(), one.tenant()]
    seen: set[float] = set()
    lock = threading.Lock()
    for tenant in tenants * 20:
        assert one.query("SELECT setseed(0.5)", token=tenant.token).code == "PARSE_ERROR"
        (row,) = one.query("SELECT random() AS v", token=tenant.token).rows
        with lock:
            assert row["v"] not in seen
            seen.add(row["v"])


@pytest.fixture
def columns(service: Service) -> tuple[Service, Tenant]:
    tenant = service.tenant()
    service.query("CREATE TABLE c (lastval int, pg_sleep int, age int, a int)", token=tenant.token)
    service.query("INSERT INTO c VALUES (1, 2, 3, 4)", token=tenant.token)
    return service, tenant


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT c.lastval AS v FROM c",
        "SELECT x.lastval AS v FROM c AS x",
        "SELECT x.lastval AS v FROM c AS x JOIN c AS y ON x.pg_sleep = y.pg_sleep",
        "UPDATE c SET a = c.lastval RETURNING c.lastval AS v",
        "SELECT v FROM (SELECT c.lastval AS v FROM c WHERE c.pg_sleep = 2) AS s",
    ],
)
def test_a_column_may_have_the_name_of_a_refused_function(columns: tuple[Service, Tenant], sql: str) -> None:
    service, tenant = columns
    assert service.query(sql, token=tenant.token).rows == [{"v": 1}]
    service.query("ALTER TABLE c DROP COLUMN lastval", token=tenant.token)
    answer = service.query(sql, token=tenant.token)
    assert (answer.code, "lastval is not allowed" in answer.json["error"]) == ("PARSE_ERROR", True)


def test_a_function_that_there_is_not_says_so(service: Service) -> None:
    tenant = service.tenant()
    answer = service.query("SELECT no_such_function(1)", token=tenant.token)
    assert (answer.code, answer.json["sqlstate"]) == ("DATABASE_ERROR", "42883")
    for sql in ("SELECT pg_sleep(1)", "SELECT int4pl(1, 2)"):
        answer = service.query(sql, token=tenant.token)
        assert (answer.code, "is not allowed" in answer.json["error"]) == ("PARSE_ERROR", True), sql


@pytest.mark.parametrize("sql", ["", ";", " ;; ", "-- nothing", "/* nothing */", "\n"])
def test_an_empty_statement_says_so(shared_service: Service, sql: str) -> None:
    answer = shared_service.query(sql)
    assert (answer.code, answer.json["error"]) == ("PARSE_ERROR", "Parse error: empty statement")
