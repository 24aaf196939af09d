"""What a database has used is there to be billed, and for its tenant to see."""

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from support.events import answered_requests
from support.processes import running
from support.service import Service, Tenant, a_service

from postgate.access.meter import Meter
from postgate.config import Config
from postgate.errors import Unavailable
from postgate.observe.alike import answered_together
from postgate.observe.requests import DATABASE_ID, TOKEN_PREFIX, RequestRecord
from postgate.postgres.errors import ConnectionLost
from postgate.postgres.pools import Pools

USAGE = "SELECT requests, refused, rows, bytes, database_ms FROM postgate_usage WHERE database_id = '{}'"
OWN = "SELECT * FROM postgate_helpers.usage()"


def used(service: Service, database_id: str) -> list[dict[str, Any]]:
    """As an operator asks."""
    return service.query(f"{USAGE.format(database_id)} ORDER BY day").rows


def until_written(service: Service, tenant: Tenant, requests: int) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while not (rows := used(service, tenant.id)) or sum(row["requests"] for row in rows) < requests:
        assert time.monotonic() < deadline, rows
        time.sleep(0.2)
    # At midnight there are two.
    return {name: sum(row[name] for row in rows) for name in rows[0]}


def test_requests_are_added_up(service: Service) -> None:
    tenant, other = service.tenant(max_rows=10), service.tenant()
    with answered_requests() as records:
        for sql in (
            "CREATE TABLE t (a int)",
            "INSERT INTO t SELECT generate_series(1, 7)",
            "SELECT a FROM t",
            "SELECT count(*) FROM generate_series(1, 1000000)",
            "SELECT 1 / 0",
            "SELECT pg_sleep(1)",
            "SELECT generate_series(1, 20)",
        ):
            service.query(sql, token=tenant.token)
        service.query("SELECT 1 AS a", token=other.token)
    size = sum(record.body_bytes + record.answer_bytes for record in records if record.database_id == tenant.id)
    found = until_written(service, tenant, 7)
    assert (found["requests"], found["refused"], found["rows"], found["bytes"]) == (7, 2, 15, size)
    assert found["database_ms"] > 20
    # Of the same day it is added.
    service.query("SELECT 1 AS a", token=tenant.token)
    assert until_written(service, tenant, 8)["rows"] == 16
    own = service.query(OWN, token=tenant.token).rows
    assert sum(row["requests"] for row in own) == 8
    assert list(own[0]) == ["day", "requests", "refused", "rows", "bytes", "database_ms"]


def test_a_tenant_sees_its_own_alone(service: Service) -> None:
    one, other = service.tenant(), service.tenant(operations=("SELECT",))
    service.execute("INSERT INTO postgate_usage VALUES (%s, '2026-01-01', 1, 1, 1, 1, 1)", one.id)
    service.execute("INSERT INTO postgate_usage VALUES (%s, '2026-01-02', 2, 2, 2, 2, 2)", other.id)
    assert [row["requests"] for row in service.query(OWN, token=one.token).rows] == [1]
    assert [row["requests"] for row in service.query(OWN, token=other.token).rows] == [2]
    assert service.query("SELECT * FROM postgate_usage", token=one.token).code == "DATABASE_ERROR"
    assert service.query("SELECT * FROM public.postgate_usage", token=one.token).code == "PARSE_ERROR"
    assert [row["requests"] for row in used(service, one.id)] == [1]


def test_it_stays_when_the_database_is_deleted(service: Service) -> None:
    tenant = service.tenant()
    service.query("SELECT 1 AS a", token=tenant.token)
    until_written(service, tenant, 1)
    service.execute("SELECT delete_tenant_database(%s)", tenant.id)
    assert used(service, tenant.id)[0]["requests"] == 1


def test_what_is_left_is_written_when_the_service_stops(service: Service) -> None:
    tenant = service.tenant()
    with a_service(service.conninfo) as short:
        short.query("SELECT 1 AS a", token=tenant.token)
    assert used(service, tenant.id)[0]["requests"] >= 1


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_no_request_is_lost_when_workers_stop(service: Service, tmp_path: Path, signum: signal.Signals) -> None:
    tenant = service.tenant()
    command = [sys.executable, "-m", "postgate", "serve"]
    with running(command, tmp_path, DATABASE_URL=service.conninfo, POSTGATE_WORKERS="2") as process:
        process.healthy()
        there = Service(process.port, service.conninfo)
        for _ in range(40):
            assert there.query("SELECT 1 AS a", token=tenant.token).status == 200
        if signum is signal.SIGTERM:
            assert process.stop() == 0
        else:
            process.process.send_signal(signum)
        assert until_written(service, tenant, 40)["requests"] == 40


def record(database_id: str) -> RequestRecord:
    made = RequestRecord.of({DATABASE_ID: database_id, TOKEN_PREFIX: "pg_12345"})
    made.ended = time.monotonic()
    return made


def test_what_could_not_be_written_is_written_later(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = service.tenant()
    pools = Pools(Config(conninfo=service.conninfo))
    meter = Meter(pools)
    query = pools.query
    meter.answered(answered_together([record(tenant.id)] * 3))

    def fail(*_: object) -> None:
        raise Unavailable()

    monkeypatch.setattr(pools, "query", fail)
    meter.write(pause_s=0)
    meter.answered(answered_together([record(tenant.id)]))
    monkeypatch.setattr(pools, "query", query)
    meter.write(pause_s=0)
    assert used(service, tenant.id)[0]["requests"] == 4

    def lose(*arguments: Any) -> None:
        query(*arguments)
        raise ConnectionLost(repeatable=True)

    meter.answered(answered_together([record(tenant.id)]))
    monkeypatch.setattr(pools, "query", lose)
    meter.write(pause_s=0)
    monkeypatch.setattr(pools, "query", query)
    meter.write(pause_s=0)
    assert used(service, tenant.id)[0]["requests"] == 5
    pools.close()


def test_many_databases_are_written_by_several_at_once(service: Service) -> None:
    pools = Pools(Config(conninfo=service.conninfo))
    ids = [str(row[0]) for row in service.execute("SELECT gen_random_uuid() FROM generate_series(1, 2500)")]
    meters = [Meter(pools) for _ in range(2)]
    for meter in meters:
        meter.answered(answered_together([record(database_id) for database_id in ids]))
        meter.write(pause_s=0)
    query = "SELECT count(*), min(requests), max(requests) FROM postgate_usage WHERE database_id = ANY (%s::uuid[])"
    assert service.execute(query, ids) == [(2500, 2, 2)]
    pools.close()


def test_the_line_of_a_request_that_finds_no_turn_names_its_database(service: Service) -> None:
    """It is refused before the application is asked."""
    tenant = service.tenant()
    with a_service(service.conninfo, max_concurrency=1, slow_concurrency=1, database_queue=0) as narrow:
        assert narrow.query("SELECT 1 AS a", token=tenant.token).status == 200
        with answered_requests() as records:
            slow = threading.Thread(
                target=narrow.query,
                args=("SELECT count(*) FROM generate_series(1, 5000000)",),
                kwargs={"token": tenant.token},
            )
            slow.start()
            time.sleep(0.1)
            answer = narrow.query("SELECT 1 AS a", token=tenant.token)
            slow.join()
    assert answer.code == "RATE_LIMITED"
    (refused,) = [made for made in records if made.code == "RATE_LIMITED"]
    assert (refused.database_id, refused.token_prefix) == (tenant.id, tenant.token[:8])
    assert json.loads(answer.text)["request_id"] == refused.id
