"""A backend that does not end when it is cancelled: PostgreSQL has work that looks at no interrupt."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.service import Service, a_service

from postgate.postgres import pipeline

LONG = "count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"
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
