"""One request is one transaction, and nothing of it reaches the next one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.service import DML, Service, a_service

FILL = "INSERT INTO t SELECT a FROM generate_series(1, $1::int) AS a"


@pytest.fixture
def one(service: Service) -> Service:
    """A table t with a column a."""
    service.execute("CREATE TABLE t (a int)")
    return service


def count(service: Service) -> int:
    ((found,),) = service.execute("SELECT count(*) FROM t")
    return int(found)


def backends(service: Service) -> list[int]:
    query = """SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'postgate%' ORDER BY backend_start"""
    return [pid for (pid,) in service.execute(query)]


def test_a_write_is_committed_before_the_answer(one: Service) -> None:
    assert one.query(FILL, 3).json["row_count"] == 3
    assert count(one) == 3


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (FILL + " RETURNING a", "ROW_LIMIT_EXCEEDED"),
        (FILL + " RETURNING repeat('x', 100000) AS a", "RESULT_TOO_LARGE"),
        (FILL + " RETURNING 1 / (a - 700)", "DATABASE_ERROR"),
        ("WITH w AS (" + FILL + " RETURNING a) SELECT a FROM w", "ROW_LIMIT_EXCEEDED"),
    ],
)
def test_nothing_of_a_refused_write_is_committed(one: Service, sql: str, code: str) -> None:
    with a_service(one.conninfo, max_result_bytes=1_000_000) as service:
        service.query("SELECT 1")
        before = backends(service)
        for rows in (1001, 5000):
            assert service.query(sql, rows).code == code
            assert count(service) == 0
            assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
        # A server that sends a large value looks at no cancel, so that connection is given up.
        assert code == "RESULT_TOO_LARGE" or backends(service) == before


def test_nothing_is_committed_of_a_write_whose_types_make_it_too_large(one: Service) -> None:
    """As PostgreSQL sends them the rows are within the limit; as JSON, which waits for the types, they are not."""
    one.execute("CREATE TYPE mood AS ENUM ('a')")
    with a_service(one.conninfo, max_result_bytes=1_000_000) as service:
        sql = FILL + " RETURNING array_fill('a'::mood, ARRAY[100000])"
        assert service.query(sql, 4).code == "RESULT_TOO_LARGE"
        assert count(service) == 0
        assert service.query(sql, 1).status == 200


def test_a_constraint_that_fails_at_the_commit(one: Service) -> None:
    one.execute("CREATE TABLE u (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    one.query("SELECT 1")
    before = backends(one)
    for sql in ("INSERT INTO u VALUES (1), (1)", "INSERT INTO u VALUES (1), (1) RETURNING a"):
        answer = one.query(sql)
        assert (answer.code, answer.json["sqlstate"]) == ("DATABASE_ERROR", "23505")
        assert one.execute("SELECT count(*) FROM u") == [(0,)]
        assert backends(one)[: len(before)] == before


def test_functions_that_write_are_undone_too(one: Service) -> None:
    sql = "SELECT create_tenant_token($1, 'n' || a) FROM generate_series(1, 1001) AS a"
    assert one.query(sql, "00000000-0000-0000-0000-000000000000").code == "ROW_LIMIT_EXCEEDED"
    assert one.execute("SELECT count(*) FROM postgate_tokens") == [(1,)]


def test_a_token_that_may_only_select_runs_read_only(service: Service) -> None:
    for operations, mode in [(("SELECT",), "on"), (DML, "off"), (("SELECT", "UPDATE"), "off"), (("SELECT",), "on")]:
        tenant = service.tenant(operations=operations)
        body = "LANGUAGE sql SECURITY DEFINER AS $$ SELECT current_setting('transaction_read_only') $$"
        service.execute(f"CREATE FUNCTION {tenant.schema}.mode() RETURNS text {body}")
        assert service.query("SELECT mode() AS v", token=tenant.token).rows == [{"v": mode}]


def test_an_endless_read_ends_at_the_limit(service: Service) -> None:
    sql = "WITH RECURSIVE w (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM w) SELECT a FROM w"
    assert service.query(sql).code == "ROW_LIMIT_EXCEEDED"
    running = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state <> 'idle' AND query ~ '^WITH RECURSIVE w'"""
    assert service.execute(running) == [(0,)]


def test_nothing_leaks_from_one_request_to_the_next(service: Service) -> None:
    settings = "SELECT name, setting FROM pg_settings WHERE name <> 'application_name' AND name !~ '[.]' ORDER BY 1"
    one, other = service.tenant(), service.tenant(operations=("SELECT",))
    service.query("CREATE TABLE t (a serial)", token=one.token)
    service.query("INSERT INTO t DEFAULT VALUES", token=one.token)
    for sql in ("SELECT 1", "SELECT 1 / 0", "SELECT * FROM generate_series(1, 5000)"):
        service.query(sql, token=other.token)
        service.query(sql, token=one.token)
    with psycopg.connect(service.conninfo, application_name="fresh") as fresh:
        expected = fresh.execute(settings).fetchall()
    assert service.app is not None
    pools = service.app.extensions["postgate"].pools
    with pools.connection(pools.shared) as connection:
        found = connection.execute(settings).fetchall()
    # The last ones are of our sessions: postgres/sql/settle_session.sql.
    ignored = {"client_encoding", "transaction_isolation", "enable_seqscan", "enable_hashjoin"}
    ignored |= {"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"}
    assert [row for row in found if row[0] not in ignored] == [row for row in expected if row[0] not in ignored]


def test_functions_must_be_the_tenants_own(service: Service) -> None:
    tenant = service.tenant()
    call = "SELECT create_tenant_database('x') AS v"
    answer = service.query(call, token=tenant.token)
    assert (answer.code, answer.json["error"]) == (
        "PARSE_ERROR",
        "Parse error: Function create_tenant_database is not allowed",
    )
    service.execute(f"""CREATE FUNCTION {tenant.schema}.create_tenant_database(text) RETURNS int
        LANGUAGE sql AS 'SELECT 7'""")
    assert service.query(call, token=tenant.token).rows == [{"v": 7}]


@pytest.mark.parametrize(
    ("extension", "chosen", "other", "field"),
    [
        ("vector", "vector_dims('[1,2]'::vector)", "vector_add('[1,2]', '[1,2]')", "vector_send"),
        ("pg_trgm", "similarity('a', 'a')", "set_limit(0.5)", "set_limit"),
    ],
)
def test_functions_of_an_extension_must_be_chosen(
    service: Service, extension: str, chosen: str, other: str, field: str
) -> None:
    if not service.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", extension):
        pytest.skip(f"this server has no {extension}")
    service.execute(f"CREATE EXTENSION {extension}")
    assert service.query(f"SELECT {chosen} AS v").status == 200
    assert "is not allowed" in service.query(f"SELECT {other} AS v").json["error"]
    answer = service.query(f"SELECT x.{field} AS v FROM (SELECT 1 AS a) AS x")
    assert answer.json["error"] == f"Parse error: Function {field} is not allowed"
    assert service.query("SELECT x.a FROM (SELECT 1 AS a) AS x").rows == [{"a": 1}]


def test_many_at_once_share_a_few_connections(conninfo: str) -> None:
    with a_service(conninfo, pool_size=3) as service:
        tenants = [service.tenant(operations=DML) for _ in range(4)]
        for number, tenant in enumerate(tenants):
            service.execute(f"CREATE TABLE {tenant.schema}.t AS SELECT {number} AS a")

        def ask(number: int) -> bool:
            answer = service.query("SELECT a, $1::int AS b FROM t", number, token=tenants[number % 4].token)
            return answer.rows == [{"a": number % 4, "b": number}]

        with ThreadPoolExecutor(12) as threads:
            assert all(threads.map(ask, range(200)))
        # And one for the look-ups.
        assert 1 <= len(backends(service)) <= 4


def test_a_cancelled_statement_is_never_the_next_one(service: Service) -> None:
    """Reads that are cut off by a cancel, and reads that must not be, on the same connections."""
    failures: list[str] = []

    def cut() -> None:
        for _ in range(25):
            if (code := service.query("SELECT * FROM generate_series(1, 200000)").code) != "ROW_LIMIT_EXCEEDED":
                failures.append(code)

    def whole() -> None:
        for _ in range(50):
            answer = service.query("SELECT count(*) FROM generate_series(1, 2000)")
            if answer.status != 200:
                failures.append(answer.text)

    threads = [threading.Thread(target=target) for target in (cut, whole, whole)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
