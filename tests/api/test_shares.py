"""What one database has under way costs the others nothing."""

import http.client
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.processes import running
from support.service import Service, Tenant, a_service

from postgate.access.slots import Owner

WAITING = """SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE 'SELECT 1 FROM t%'"""


@contextmanager
def waiting_statements(service: Service, tenant: Tenant, clients: int) -> Iterator[Counter[int]]:
    """So many clients whose statements wait for a lock; the statuses of their answers, which come in the end."""
    statuses: Counter[int] = Counter()
    service.execute(f'CREATE TABLE IF NOT EXISTS "{tenant.schema}".t (a int)')
    service.execute(f'GRANT SELECT ON "{tenant.schema}".t TO PUBLIC')

    def ask() -> None:
        statuses[service.query("SELECT 1 FROM t", token=tenant.token).status] += 1

    with psycopg.connect(service.conninfo) as owner:
        owner.execute(f'LOCK TABLE "{tenant.schema}".t')
        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield statuses
        finally:
            owner.rollback()
            for thread in threads:
                thread.join(30)


def until_so_many_wait(service: Service, count: int) -> None:
    deadline = time.monotonic() + 10
    while service.execute(WAITING) != [(count,)]:
        assert time.monotonic() < deadline, service.execute(WAITING)
        time.sleep(0.02)


def test_slow_statements_leave_processors_to_others(conninfo: str) -> None:
    with a_service(conninfo, pool_size=8, slow_concurrency=2) as service:
        greedy, other = service.tenant(), service.tenant()
        assert service.query("SELECT 1 AS a", token=other.token).status == 200
        with waiting_statements(service, greedy, 6):
            until_so_many_wait(service, 2)
            assert service.query("SELECT 1 AS a", token=other.token).status == 200
            assert service.execute(WAITING) == [(2,)]


def test_a_tenant_whose_statements_wait_does_not_hold_up_the_others(conninfo: str) -> None:
    with a_service(conninfo, pool_size=8, database_queue=10) as service:
        greedy, other = service.tenant(), service.tenant()
        with waiting_statements(service, greedy, 30) as statuses:
            until_so_many_wait(service, 4)
            # Half of the eight connections, ten requests that wait, and sixteen that are refused at once.
            deadline = time.monotonic() + 5
            while statuses[429] < 16:
                assert time.monotonic() < deadline, statuses
            refused = service.query("SELECT 1", token=greedy.token)
            assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "RATE_LIMITED", "1")
            for _ in range(20):
                assert service.query("SELECT 1 AS a", token=other.token).rows == [{"a": 1}]
            assert service.request("GET", "/health").status == 200
            # A new token is looked up as fast.
            assert service.query("SELECT 1 AS a", token=service.tenant().token).status == 200
        assert statuses == {200: 14, 429: 16}
        # On the same connection after a refusal: it goes on.
        assert service.query("SELECT 1 AS a", token=greedy.token).status == 200


def test_a_request_waits_for_its_turn_for_so_long_and_no_longer(conninfo: str) -> None:
    with a_service(conninfo, pool_size=8, pool_timeout_s=1) as service:
        tenant = service.tenant()
        with waiting_statements(service, tenant, 6) as statuses:
            until_so_many_wait(service, 4)
            deadline = time.monotonic() + 6
            while statuses[429] < 2:
                assert time.monotonic() < deadline, statuses
                time.sleep(0.02)
        assert statuses == {200: 4, 429: 2}


@pytest.mark.parametrize("backend", ["schema", "dedicated"])
def test_a_limit_of_its_own_is_effective_at_once(conninfo: str, backend: str) -> None:
    with a_service(conninfo, allow_dedicated_superuser=True) as service, ThreadPoolExecutor(8) as threads:
        tenant = service.tenant() if backend == "schema" else service.dedicated(conninfo)
        sql = "UPDATE postgate_databases SET max_concurrency = %s WHERE id = %s RETURNING 1"
        assert service.execute(sql, 2, tenant.id) == [(1,)]
        assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
        for most in (2, 1):
            service.execute(sql, most, tenant.id)
            assert service.query("SELECT 1 AS a", token=tenant.token).status == 200
            with waiting_statements(service, tenant, 5):
                until_so_many_wait(service, most)
                time.sleep(0.3)
                until_so_many_wait(service, most)
        answers = threads.map(lambda _: service.query("SELECT 1 AS a", token=tenant.token).status, range(30))
        assert set(answers) == {200}


def test_workers_count_together(conninfo: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postgate", "serve"]
    settings = {"DATABASE_URL": conninfo, "POSTGATE_WORKERS": "3", "POSTGATE_DATABASE_CONCURRENCY": "3"}
    with running(command, tmp_path, **settings) as served:
        served.healthy()
        service = Service(served.port, conninfo)
        tenant = service.tenant()
        with waiting_statements(service, tenant, 20) as statuses:
            until_so_many_wait(service, 3)
            time.sleep(1)
            until_so_many_wait(service, 3)
            assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
        # Whoever waited on another worker than those that ran is woken too.
        assert statuses == {200: 20}


def test_a_connection_that_serves_several_databases_gives_each_its_slots_back(conninfo: str) -> None:
    """As a proxy has them in front of the service: the next request comes before the thread of the last one is done."""
    with a_service(conninfo, pool_size=4) as service, ThreadPoolExecutor(6) as threads:
        tenants = [service.tenant() for _ in range(3)]
        tokens = [tenant.token for tenant in tenants] + ["pg_" + "0" * 64]

        def ask(_: int) -> None:
            client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
            for number in range(150):
                headers = {"Authorization": tokens[number % 4]}
                client.request("POST", "/query", b'{"sql": "SELECT 1 AS a"}', headers)
                answer = client.getresponse()
                answer.read()
                assert answer.status == (401 if number % 4 == 3 else 200)
            client.close()

        list(threads.map(ask, range(6)))
        assert service.app is not None
        slots = service.app.extensions["postgate"].slots
        deadline = time.monotonic() + 5
        for tenant in tenants:
            for _ in range(2):
                while not slots.take(Owner(tenant.id, 2, 2)):
                    assert time.monotonic() < deadline
                    time.sleep(0.02)


def set_rates(service: Service, tenant: Tenant, rates: str) -> None:
    service.execute(f"UPDATE postgate_databases SET {rates} WHERE id = %s", tenant.id)


@pytest.mark.parametrize(
    "body", ['{"sql": "SELECT 1 AS a"}', '{"queries": [{"sql": "SELECT 1"}, {"sql": "SELECT 2"}]}']
)
def test_statements_a_second(service: Service, body: str) -> None:
    tenant, other = service.tenant(), service.tenant()
    set_rates(service, tenant, "statements_per_second = 4")
    answers = [service.post(body.encode(), tenant.token) for _ in range(12)]
    done = sum(answer.status == 200 for answer in answers)
    refused = [answer for answer in answers if answer.status != 200]
    # A second's worth at once, and what has become due meanwhile.
    assert 2 <= done < 12 and refused
    assert {answer.code for answer in refused} == {"RATE_LIMITED"}
    assert "4 statements a second" in refused[0].json["error"]
    assert service.post(body.encode(), other.token).status == 200
    time.sleep(float(refused[-1].headers["Retry-After"]))
    assert service.post(body.encode(), tenant.token).status == 200
    set_rates(service, tenant, "statements_per_second = NULL")
    time.sleep(1.1)
    assert {service.post(body.encode(), tenant.token).status for _ in range(10)} == {200}


@pytest.mark.parametrize("sql", ["SELECT repeat('x', 60000) AS a", f"SELECT length('{'x' * 60000}') AS a"])
def test_bytes_a_minute(service: Service, sql: str) -> None:
    """Of requests and answers."""
    tenant = service.tenant()
    set_rates(service, tenant, "bytes_per_minute = 100000")
    statuses = [service.query(sql, token=tenant.token).status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    refused = service.query("SELECT 1", token=tenant.token)
    time.sleep(1.1)
    set_rates(service, tenant, "bytes_per_minute = 200000")
    assert service.query("SELECT 1", token=tenant.token).status == 200
    assert "100000 bytes a minute" in refused.json["error"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 15


def test_workers_have_one_rate_together(conninfo: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postgate", "serve"]
    with running(command, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="3") as served:
        served.healthy()
        service = Service(served.port, conninfo)
        tenant = service.tenant()
        set_rates(service, tenant, "statements_per_second = 10")
        started = time.monotonic()
        statuses = Counter(service.query("SELECT 1", token=tenant.token).status for _ in range(80))
        took = time.monotonic() - started
        assert set(statuses) == {200, 429}
        assert statuses[200] <= 10 * (took + 1) + 3
