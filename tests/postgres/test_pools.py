"""Connections: a pool for each backend, and what clients see when PostgreSQL goes away and comes back."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.paths import a_directory
from support.proxies import Network, a_proxy
from support.service import Answer, Service, Tenant, a_service, break_a_connection

from postgate.config import Config
from postgate.embedded.cluster import Cluster
from postgate.errors import Unavailable
from postgate.metadata import migrate
from postgate.postgres import pipeline
from postgate.postgres.pools import FAIL_FAST_S, MAX_FAILURES, Backend, Pools

RECOVERY_S = 2.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of these tests' own, which they may stop."""
    with a_directory() as data_dir:
        cluster = Cluster(data_dir, durable=False)
        cluster.start()
        try:
            migrate.upgrade(cluster.conninfo("postgate"))
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def fragile(cluster: Cluster) -> Iterator[Service]:
    """The service on it."""
    cluster.start()
    with a_service(cluster.conninfo("postgate"), pool_timeout_s=2) as service:
        yield service


def until(probe: Callable[[], Answer], accept: Callable[[Answer], bool], seconds: float) -> Answer:
    deadline = time.monotonic() + seconds
    while not accept(answer := probe()):
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer


def assert_unavailable(answer: Answer) -> None:
    assert (answer.status, answer.code) == (503, "UNAVAILABLE"), answer.text
    assert answer.headers["Retry-After"] == "1"


def test_a_database_that_is_down_is_unavailable_until_it_is_back(cluster: Cluster, fragile: Service) -> None:
    assert fragile.query("SELECT 1 AS a").status == 200
    for _ in range(2):
        cluster.stop()
        for token in (fragile.admin, "pg_" + "0" * 64):
            started = time.monotonic()
            assert_unavailable(fragile.query("SELECT 1 AS a", token=token))
            assert time.monotonic() - started < 1
        assert fragile.request("GET", "/health").status == 200
        cluster.start()
        until(lambda: fragile.query("SELECT 1 AS a"), lambda answer: answer.status == 200, RECOVERY_S)


def test_a_restart_between_requests_is_not_seen(cluster: Cluster, fragile: Service) -> None:
    fragile.execute("CREATE TABLE IF NOT EXISTS restarts (a int)")
    for sql in ("SELECT count(*) FROM restarts", "INSERT INTO restarts VALUES (1)", "SELECT count(*) FROM restarts"):
        assert fragile.query(sql).status == 200
        cluster.stop()
        cluster.start()
        # A connection that the pool was making meanwhile may have failed, which holds for so long.
        time.sleep(FAIL_FAST_S)
        assert fragile.query(sql).status == 200
    assert fragile.execute("SELECT count(*) FROM restarts") == [(2,)]


def test_a_stop_in_the_middle_of_a_statement(cluster: Cluster, fragile: Service) -> None:
    fragile.execute("CREATE TABLE IF NOT EXISTS slow (a bigint)")
    product = "count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"
    answers: list[Answer] = []
    sqls = [f"SELECT {product}", f"INSERT INTO slow SELECT {product}"]
    threads = [threading.Thread(target=lambda sql=sql: answers.append(fragile.query(sql))) for sql in sqls]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    cluster.stop()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 2
    for answer in answers:
        assert_unavailable(answer)
    assert sorted(answer.json.get("outcome", "") for answer in answers) == ["", "unknown"]
    cluster.start()
    until(lambda: fragile.query("SELECT 1 AS a"), lambda answer: answer.status == 200, RECOVERY_S)
    assert fragile.execute("SELECT count(*) FROM slow") == [(0,)]


def test_a_connection_that_breaks_while_it_is_written_to(conninfo: str) -> None:
    """A read is done again; of a write that was on its way nobody knows."""
    with a_service(conninfo, pool_size=1) as service:
        service.execute("CREATE TABLE t (a text)")
        for sql, status in [("SELECT length($1) AS n", 200), ("INSERT INTO t VALUES ($1)", 503)]:
            assert service.query("SELECT 1").status == 200
            closing = break_a_connection(service)
            answer = service.query(sql, "x" * 1_000_000)
            closing.join()
            assert answer.status == status, answer.text
        assert answer.json["outcome"] == "unknown"
        assert service.query("SELECT count(*) FROM t").rows == [{"count": 0}]


def test_ended_connections_are_not_seen(service: Service) -> None:
    end = """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'postgate%'"""
    service.execute("CREATE TABLE t (a int)")
    for number in range(5):
        assert service.query("INSERT INTO t VALUES ($1)", number).status == 200
        service.execute(end)
    assert service.query("SELECT count(*) FROM t").rows == [{"count": 5}]


def test_connections_that_end_one_by_one_are_not_seen(conninfo: str) -> None:
    """A repeat must not meet the next connection that is about to end."""
    ours = """SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'postgate%'
        ORDER BY state = 'active' AND query LIKE '%generate_series%' DESC, state_change DESC"""
    with a_service(conninfo, pool_size=8) as service, ThreadPoolExecutor(1) as threads, ExitStack() as stack:
        assert service.app is not None
        pools = service.app.extensions["postgate"].pools
        admin = stack.enter_context(psycopg.connect(conninfo, autocommit=True))
        for _ in range(5):
            with ExitStack() as taken:
                # So that the pool has eight idle ones.
                for _ in range(8):
                    taken.enter_context(pools.connection(pools.shared))
            asked = threads.submit(service.query, "SELECT count(*) FROM generate_series(1, 5000000)")
            time.sleep(0.1)
            # The one that runs first, and then those that a repeat could get.
            for (pid,) in admin.execute(ours).fetchall():
                admin.execute("SELECT pg_terminate_backend(%s)", [pid])
                time.sleep(0.03)
            answer = asked.result()
            assert answer.status == 200, answer.text


def test_a_server_that_does_not_answer_is_asked_by_nobodys_request(server: str, conninfo: str) -> None:
    far = {"allow_dedicated_superuser": True, "pool_timeout_s": 2}
    with a_service(conninfo, **far) as service, a_proxy(conninfo) as proxy:
        tenant = service.dedicated(proxy.conninfo)
        proxy.network = Network.BLACK_HOLE
        for _ in range(MAX_FAILURES):
            assert_unavailable(service.query("SELECT 1", token=tenant.token))
            time.sleep(FAIL_FAST_S)
        # A connect takes two seconds, and is somebody else's business now.
        for _ in range(20):
            started = time.monotonic()
            assert_unavailable(service.query("SELECT 1", token=tenant.token))
            assert time.monotonic() - started < 1
        deadline = time.monotonic() + 10
        asked = proxy.accepted
        while proxy.accepted == asked:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        proxy.network = Network.FORWARDS
        proxy.cut()
        until(lambda: service.query("SELECT 1 AS a", token=tenant.token), lambda answer: answer.status == 200, 10)


def test_a_full_pool_is_unavailable_after_its_time(conninfo: str) -> None:
    with a_service(conninfo, pool_size=1, pool_timeout_s=0.3) as service, psycopg.connect(conninfo) as other:
        service.execute("CREATE TABLE t (a int)")
        tenant = service.tenant()
        service.query("SELECT 1")
        other.execute("LOCK TABLE t")
        waiting = threading.Thread(target=lambda: service.query("SELECT * FROM t"))
        waiting.start()
        try:
            started = time.monotonic()
            answer = until(
                lambda: service.query("SELECT 1", token=tenant.token), lambda answer: answer.status != 200, 2
            )
            assert_unavailable(answer)
            assert time.monotonic() - started < 2
            # The look-up of a token waits for nobody's statement.
            assert service.query("SELECT 1", token="pg_" + "0" * 64).status == 401
        finally:
            other.rollback()
            waiting.join()
        assert service.query("SELECT 1 AS a").rows == [{"a": 1}]


def test_a_commit_that_no_standby_has_confirmed_is_not_told_as_done(
    cluster: Cluster, fragile: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "GRACE_S", 0.2)
    fragile.execute("CREATE TABLE IF NOT EXISTS confirmed (a int)")
    with a_service(cluster.conninfo("postgate"), statement_timeout_ms=500) as service:
        waits = ("ALTER SYSTEM SET synchronous_commit = 'on'", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        for sql in (*waits, "SELECT pg_reload_conf()"):
            fragile.execute(sql)
        try:
            # The sessions read the settings before their next statement.
            while fragile.execute("SHOW synchronous_standby_names") != [("nobody",)]:
                time.sleep(0.02)
            answers = [service.query("INSERT INTO confirmed VALUES (1)"), service.query("SELECT 1 AS a")]
        finally:
            with psycopg.connect(cluster.conninfo("postgate"), autocommit=True) as connection:
                connection.execute("SET synchronous_commit = off")
                for sql in ("synchronous_commit", "synchronous_standby_names"):
                    connection.execute(f"ALTER SYSTEM RESET {sql}")
                connection.execute("SELECT pg_reload_conf()")
        assert_unavailable(answers[0])
        assert answers[0].json["outcome"] == "unknown"
        assert answers[1].rows == [{"a": 1}]
        assert service.query("SELECT count(*) FROM confirmed").rows == [{"count": 1}]


@pytest.fixture
def far(server: str, service: Service) -> Iterator[tuple[str, Tenant]]:
    """A dedicated database with a table t, and its tenant."""
    name = f"postgate_test_far_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE IF EXISTS {name}")
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'far'")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
        conninfo = make_conninfo(server, dbname=name, user=name, password="far")  # noqa: S106
        with psycopg.connect(conninfo, autocommit=True) as there:
            there.execute("CREATE TABLE t AS SELECT 'far' AS place")
        yield conninfo, service.dedicated(conninfo)
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE {name}")


def test_a_dedicated_database(service: Service, far: tuple[str, Tenant]) -> None:
    _, tenant = far
    assert service.query("SELECT place FROM t", token=tenant.token).rows == [{"place": "far"}]
    made = "CREATE TABLE u (a int, b timestamptz, c int[])"
    assert service.query(made, token=tenant.token).status == 200
    insert = "INSERT INTO u VALUES ($1, $2, $3) RETURNING *"
    row = {"a": 1, "b": "2024-01-02T03:04:05+00:00", "c": [1, None]}
    assert service.query(insert, *row.values(), token=tenant.token).rows == [row]
    sql = "INSERT INTO u SELECT a FROM generate_series(1, 2000) AS a RETURNING a"
    assert service.query(sql, token=tenant.token).code == "ROW_LIMIT_EXCEEDED"
    assert service.query("SELECT count(*) FROM u", token=tenant.token).rows == [{"count": 1}]


def test_a_dedicated_token_is_checked_each_time(service: Service, far: tuple[str, Tenant]) -> None:
    conninfo, tenant = far
    reader = service.dedicated(conninfo, operations=("SELECT",))
    with psycopg.connect(conninfo) as there:
        there.execute("CREATE VIEW modes AS SELECT current_setting('transaction_read_only') AS v")
    for token, mode in [(reader.token, "on"), (tenant.token, "off"), (reader.token, "on")]:
        assert service.query("SELECT v FROM modes", token=token).rows == [{"v": mode}]
    assert service.query("DELETE FROM t", token=reader.token).code == "PARSE_ERROR"
    service.execute("DELETE FROM postgate_tokens WHERE database_id = %s", tenant.id)
    assert service.query("SELECT 1", token=tenant.token).code == "UNAUTHORIZED"


def test_a_new_connection_string_holds_for_the_next_request(
    server: str, service: Service, far: tuple[str, Tenant]
) -> None:
    conninfo, tenant = far
    where = "SELECT current_database() AS name"
    here = psycopg.conninfo.conninfo_to_dict(server)["dbname"]
    change = "UPDATE postgate_databases SET connection_string = %s WHERE id = %s"
    there = service.query(where, token=tenant.token).rows
    service.execute(change, make_conninfo(conninfo, dbname=here), tenant.id)
    assert service.query(where, token=tenant.token).rows == [{"name": here}] != there
    service.execute(change, conninfo, tenant.id)
    assert service.query(where, token=tenant.token).rows == there


def test_a_superuser_is_no_login_for_a_tenant(server: str, conninfo: str) -> None:
    with a_service(conninfo) as service:
        answer = service.query("SELECT 1 AS a", token=service.dedicated(server).token)
        assert (answer.status, answer.code) == (503, "UNAVAILABLE")
        assert "is a superuser" in answer.json["error"]
        assert "POSTGATE_ALLOW_DEDICATED_SUPERUSER" in answer.json["error"]
    with a_service(conninfo, allow_dedicated_superuser=True) as service:
        assert service.query("SELECT 1 AS a", token=service.dedicated(server).token).rows == [{"a": 1}]


def test_the_limits_of_a_dedicated_database(service: Service, far: tuple[str, Tenant]) -> None:
    conninfo, tenant = far
    limits = "lock_timeout_ms = 1234, work_mem_kb = 2345, statement_timeout_ms = 250"
    service.execute(f"UPDATE postgate_databases SET {limits} WHERE id = %s", tenant.id)
    with psycopg.connect(conninfo) as there:
        there.execute(
            """CREATE VIEW limits AS SELECT name, setting FROM pg_settings
            WHERE name IN ('lock_timeout', 'work_mem', 'statement_timeout', 'search_path')"""
        )
        there.execute("CREATE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(5)'")
    rows = service.query("SELECT name, setting FROM limits ORDER BY name", token=tenant.token).rows
    assert [row["setting"] for row in rows] == ["1234", "public, pg_temp", "250", "2345"]
    answer = service.query("SELECT slow() AS a", token=tenant.token)
    assert (answer.code, "0.25 s" in answer.json["error"]) == ("TIMEOUT", True)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"dbname": "there_is_no_such"}, 404, "DATABASE_NOT_FOUND"),
        ({"host": "127.0.0.1", "port": "1", "password": "s3cret"}, 503, "UNAVAILABLE"),
        ({"user": "nobody", "password": "s3cret"}, 503, "UNAVAILABLE"),
        ({}, 503, "UNAVAILABLE"),
    ],
    ids=["no database", "no server", "no user", "malformed"],
)
def test_a_dedicated_database_that_cannot_be_reached(
    service: Service,
    far: tuple[str, Tenant],
    capfd: pytest.CaptureFixture[str],
    change: dict[str, str],
    status: int,
    code: str,
) -> None:
    tenant = service.dedicated(make_conninfo(far[0], **change) if change else "s3cret=x y")
    for _ in range(3):
        started = time.monotonic()
        answer = service.query("SELECT 1", token=tenant.token)
        assert (answer.status, answer.code) == (status, code), answer.text
        assert time.monotonic() - started < 1
        assert set(answer.json) <= {"error", "code", "hint"}
        assert not {"s3cret", "127.0.0.1", "there_is_no_such"} & set(answer.text.replace('"', " ").split())
    assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
    assert "s3cret" not in capfd.readouterr().err


def test_a_dedicated_server_never_gets_the_shared_password(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it could ask for a password that the connection string does not have."""
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def ask_for_a_password() -> None:
            with listener.accept()[0] as client:
                heard.extend(client.recv(1000))
                client.sendall(b"R\0\0\0\x08\0\0\0\x03")
                heard.extend(client.recv(1000))

        asking = threading.Thread(target=ask_for_a_password)
        asking.start()
        port = listener.getsockname()[1]
        tenant = service.dedicated(f"host=127.0.0.1 port={port} user=u dbname=d sslmode=disable gssencmode=disable")
        assert service.query("SELECT 1", token=tenant.token).status == 503
        asking.join(5)
    assert b"user" in heard
    assert b"s3cret" not in heard


def test_idle_connections_are_closed(conninfo: str, server: str) -> None:
    pools = Pools(Config(conninfo=conninfo, pool_idle_s=1, allow_dedicated_superuser=True))
    backend = Backend("far", conninfo)
    open_ones = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = %s AND application_name LIKE 'postgate%%'"""
    name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    with psycopg.connect(server, autocommit=True) as admin:
        with pools.connection(backend), pools.connection(pools.shared):
            assert admin.execute(open_ones, [name]).fetchone() == (2,)
        deadline = time.monotonic() + 8
        while admin.execute(open_ones, [name]).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    pools.close()
    with pytest.raises(Unavailable), pools.connection(backend):
        pass


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_opens_its_own_connections(conninfo: str) -> None:
    pools = Pools(Config(conninfo=conninfo))
    with pools.connection(pools.shared) as connection:
        ours = connection.info.backend_pid
    # The child asks through the same object; it must not touch the parent's socket.
    child = os.fork()
    if child == 0:
        with pools.connection(pools.shared) as connection:
            different = connection.info.backend_pid != ours
        os._exit(0 if different else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pools.connection(pools.shared) as connection:
        assert connection.info.backend_pid == ours
        assert connection.execute("SELECT 1").fetchone() == (1,)
    pools.close()
