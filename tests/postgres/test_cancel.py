"""A backend that does not end when it is cancelled: PostgreSQL has work that looks at no interrupt."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.events import heard_events
from support.service import Service, a_service

from postgate.observe.events import StatementGoesOn
from postgate.postgres import pipeline

LONG = "count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"
OURS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'postgate%'"
RUNNING = """SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query LIKE '%generate_series(1, 100000)%'
        AND pid <> pg_backend_pid()"""


@pytest.fixture
def impatient(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(pipeline, "GRACE_S", 0.2)
    monkeypatch.setattr(pipeline, "CANCEL_S", 0.5)
    if "POSTGATE_TEST_DSN" in os.environ:
        pytest.skip("the backends of another server are not ours to stop")
    with a_service(conninfo, statement_timeout_ms=800) as service:
        service.execute("CREATE TABLE t (n bigint)")
        yield service


@pytest.mark.parametrize(("sql", "outcome"), [(f"SELECT {LONG}", None), (f"INSERT INTO t SELECT {LONG}", "unknown")])
def test_what_does_not_end_is_not_run_again(impatient: Service, sql: str, outcome: str | None) -> None:
    impatient.query("SELECT 1")
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(impatient.query, sql)
        deadline = time.monotonic() + 5
        while not (pids := impatient.execute(RUNNING)):
            assert time.monotonic() < deadline
        ((pid,),) = pids
        os.kill(pid, signal.SIGSTOP)
        try:
            answer = asked.result(10)
            assert (answer.status, answer.code, answer.json.get("outcome")) == (504, "TIMEOUT", outcome), answer.text
            # Nobody else has been given the same work, and others are served.
            assert impatient.execute(RUNNING) == [(pid,)]
            assert impatient.query("SELECT 1 AS a").rows == [{"a": 1}]
        finally:
            os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + 5
    while impatient.execute(RUNNING):
        assert time.monotonic() < deadline
    assert impatient.execute("SELECT count(*) FROM t") == [(0,)]


def test_what_does_not_end_keeps_its_place(conninfo: str, impatient: Service) -> None:
    """One tenant can have two backends busy for ever in a worker of four connections, and no third one."""
    with (
        a_service(conninfo, statement_timeout_ms=800, pool_size=4) as service,
        ThreadPoolExecutor() as threads,
        heard_events() as heard,
    ):
        tenant, other = service.tenant(), service.tenant()
        stopped: list[int] = []
        try:
            for _ in range(2):
                asked = threads.submit(service.query, f"SELECT {LONG}", token=tenant.token)
                stopped.append(stop_the_one_that_is_not_in(stopped, service))
                assert asked.result(10).code == "TIMEOUT"
            goes_on = [event for event in heard if isinstance(event, StatementGoesOn)]
            assert goes_on == [StatementGoesOn(tenant.id, pid) for pid in stopped]
            assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in stopped] == [19, 19]
            refused = service.query("SELECT 1 AS a", token=tenant.token)
            assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "RATE_LIMITED", "1")
            # Their connections do not count, so the others have all four.
            slow = [threads.submit(service.query, "SELECT 1 AS a", token=other.token) for _ in range(20)]
            assert all(answer.result(10).status == 200 for answer in slow)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 5
        while service.query("SELECT 1 AS a", token=tenant.token).status == 429:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # Over with the first of them; the second's place is given back too. One connection is for look-ups.
        while len(service.execute(OURS)) > 5:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_backend_that_is_killed_gives_its_place_back(conninfo: str, impatient: Service) -> None:
    with a_service(conninfo, statement_timeout_ms=800, pool_size=2) as service, ThreadPoolExecutor() as threads:
        tenant = service.tenant()
        asked = threads.submit(service.query, f"SELECT {LONG}", token=tenant.token)
        pid = stop_the_one_that_is_not_in([], service)
        assert asked.result(10).code == "TIMEOUT"
        assert service.query("SELECT 1 AS a", token=tenant.token).code == "RATE_LIMITED"
        service.execute("SELECT pg_terminate_backend(%s)", pid)
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 5
        while service.query("SELECT 1 AS a", token=tenant.token).status == 429:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def stop_the_one_that_is_not_in(stopped: list[int], service: Service) -> int:
    deadline = time.monotonic() + 5
    while not (found := {pid for (pid,) in service.execute(RUNNING)} - set(stopped)):
        assert time.monotonic() < deadline
    (pid,) = found
    os.kill(pid, signal.SIGSTOP)
    return pid
