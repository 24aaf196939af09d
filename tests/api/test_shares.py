"""What one database has under way costs the others nothing."""

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
