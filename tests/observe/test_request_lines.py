"""Every request leaves one line, and has an id that stands wherever it is spoken of."""

import json
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from support.events import answered_requests, log_lines
from support.loops import connect, to_the_end
from support.processes import execute, running
from support.service import Service, Tenant, a_service, until_somebody_waits

from postgate.access.registry import Access, DatabaseLimits
from postgate.access.slots import Owner
from postgate.executor.prologue import prologue_for
from postgate.observe.requests import RequestRecord
from postgate.observe.telling import tell_now
from postgate.operations import Tenant as Operations

STAGES = {"queue", "look_up", "read", "verdict", "prepare", "connection", "statement", "answer"}


@pytest.fixture(scope="module")
def tenant(shared_service: Service) -> Tenant:
    tenant = shared_service.tenant()
    shared_service.query("CREATE TABLE t (a int, b text)", token=tenant.token)
    return tenant


@contextmanager
def lines(**options: Any) -> Iterator[list[dict[str, Any]]]:
    """The lines of the log about requests, when the body has ended."""
    told: list[dict[str, Any]] = []
    with log_lines(**options) as written:
        yield told
        tell_now()
        told += [line for line in map(json.loads, written) if line["event"] == "request"]


def ask(service: Service, tenant: Tenant, sql: str, *params: Any, **headers: str) -> Any:
    return service.post(json.dumps({"sql": sql, "params": params}).encode(), tenant.token, **headers)


def test_a_line_tells_who_asked_what_and_how_long_it_took(shared_service: Service, tenant: Tenant) -> None:
    with lines() as told:
        answer = ask(shared_service, tenant, "INSERT INTO t VALUES ($1, 's3cret'), (2, $2) RETURNING a", 1, "hidden")
    (line,) = told
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{24}", line["request_id"])
    assert (line["database_id"], line["database"]) == (tenant.id, "tenant")
    assert line["token"] == tenant.token[:8]
    assert set(line["operations"].split(",")) == {"INSERT", "SELECT"}
    assert re.fullmatch("[0-9a-f]{16}", line["fingerprint"])
    assert (line["level"], line["status"], line["outcome"], line["rows"]) == ("info", 200, "ok", 2)
    assert line["bytes"] == len(answer.text)
    assert line["body_bytes"] > 60
    assert line["client"] == "127.0.0.1"
    assert set(line["stages_ms"]) == STAGES
    assert sum(line["stages_ms"].values()) == pytest.approx(line["ms"], abs=0.01)
    assert "code" not in line and "statement" not in line
    assert "s3cret" not in str(line) and "hidden" not in str(line) and tenant.token not in str(line)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELEC 1", {"status": 400, "outcome": "refused", "code": "PARSE_ERROR", "reason": "syntax"}),
        ("SELECT * FROM missing", {"outcome": "failed", "code": "DATABASE_ERROR", "sqlstate": "42P01"}),
        ("SELECT generate_series(1, 2000)", {"outcome": "refused", "code": "ROW_LIMIT_EXCEEDED", "limit": "rows"}),
        ("SELECT 'open", {"outcome": "refused", "code": "PARSE_ERROR"}),
    ],
)
def test_a_line_tells_what_went_wrong(
    shared_service: Service, tenant: Tenant, sql: str, expected: dict[str, Any]
) -> None:
    with lines() as told:
        answer = ask(shared_service, tenant, sql)
    (line,) = told
    assert expected.items() <= line.items()
    assert json.loads(answer.text)["request_id"] == line["request_id"] == answer.headers["X-Request-ID"]


def test_what_is_no_query_has_a_line_too(shared_service: Service) -> None:
    with lines() as told:
        assert shared_service.request("GET", "/health").headers["X-Request-ID"]
        assert shared_service.request("GET", "/other").code == "NOT_FOUND"
        assert shared_service.request("PUT", "/query").code == "METHOD_NOT_ALLOWED"
        with connect(shared_service.port) as client:
            client.sendall(b"NONSENSE\r\n\r\n")
            answer = to_the_end(client).decode()
    assert [(line["level"], line.get("path"), line["status"], line.get("code")) for line in told] == [
        ("debug", "/health", 200, None),
        ("info", "/other", 404, "NOT_FOUND"),
        ("info", "/query", 405, "METHOD_NOT_ALLOWED"),
        ("info", None, 400, "BAD_REQUEST"),
    ]
    assert told[-1]["client"] == "127.0.0.1"
    assert answer.count(told[-1]["request_id"]) == 2


@pytest.mark.parametrize("given", ["a", "7d4e-11.x:y/z", "x" * 128, '"quoted"', "{}"])
def test_the_clients_id_is_echoed(shared_service: Service, tenant: Tenant, given: str) -> None:
    with lines() as told:
        answer = ask(shared_service, tenant, "SELECT 1 AS a", **{"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == told[0]["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "caf\u00e9", "a\x85b"])
def test_an_id_that_is_long_or_not_printable_is_not_taken(shared_service: Service, tenant: Tenant, given: str) -> None:
    with lines() as told:
        answer = ask(shared_service, tenant, "SELECT 1 AS a", **{"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == told[0]["request_id"] != given
    assert re.fullmatch("[0-9a-f]{24}", told[0]["request_id"])


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_nobody_can_write_a_line_of_his_own(shared_service: Service, as_json: bool) -> None:
    with log_lines(as_json=as_json) as written:
        for path in ("/a%0ab", "/a%0d%0a%7b%7d", "/%e2%80%a8x", "/%1b[2J", "/%c2%85"):
            shared_service.request("GET", path, headers={"X-Forwarded-For": "1.2.3.4, \x85\xa0x", "X-Request-ID": "a"})
    assert len(written) == 5
    assert all(line.isprintable() and (line.isascii() or not as_json) for line in written)
    if as_json:
        assert json.loads(written[0])["path"] == "/a\nb"


def test_a_percent_sign_is_one(service: Service) -> None:
    """Lines are made of templates, in which it means something."""
    made = service.execute("SELECT id, schema_name FROM create_tenant_database('100%d %% %(a)s')")
    token = service.token(made[0][0])
    with lines() as told:
        service.request("GET", "/%25s/%25%25d", headers={"X-Request-ID": "%b", "X-Forwarded-For": "%s"})
        ask(service, Tenant(str(made[0][0]), made[0][1], token), "SELECT 1 AS a", **{"X-Request-ID": "100%"})
    assert [(line["path"], line["request_id"], line.get("forwarded_for"), line.get("database")) for line in told] == [
        ("/%s/%%d", "%b", "%s", None),
        ("/query", "100%", None, "100%d %% %(a)s"),
    ]


def test_what_is_tried_again_has_each_stage_once(service: Service) -> None:
    """The token has changed since it was looked up."""
    tenant = service.tenant()
    ask(service, tenant, "SELECT 1 AS a")
    service.execute("UPDATE postgate_tokens SET name = 'renamed' WHERE database_id = %s", tenant.id)
    with lines() as told:
        ask(service, tenant, "SELECT 1 AS a")
        ask(service, tenant, "SELECT 1 AS a")
    assert [line.get("attempts") for line in told] == [2, None]
    for line in told:
        assert set(line["stages_ms"]) == STAGES
        assert sum(line["stages_ms"].values()) == pytest.approx(line["ms"], abs=0.01)


def test_a_stage_that_was_entered_twice_has_the_time_of_both() -> None:
    record = RequestRecord.of({"postgate.arrived": 100.0})
    record.look_up_at, record.read_at, record.statement_at = 101.0, 103.0, 106.0
    record.again("look_up")
    again = record.look_up_at
    record.statement_at, record.answer_at, record.ended = again + 4, again + 9, again + 10
    record.settle(1000.0)
    assert record.stages_ms == pytest.approx(
        {"queue": 1000, "look_up": 2000 + 4000, "read": 3000, "statement": (again - 106) * 1000 + 5000, "answer": 1000}
    )
    assert (record.seconds, record.began) == (pytest.approx(again + 10 - 100), 1100.0)


def test_a_slow_request_is_a_warning(shared_service: Service, tenant: Tenant) -> None:
    with lines(level="warning", slow_ms=100) as told:
        ask(shared_service, tenant, "SELECT 1 AS a")
        ask(shared_service, tenant, "SELECT count(*) FROM generate_series(1, 4000000)")
    (line,) = told
    assert line["level"] == "warning"
    assert line["stages_ms"]["statement"] > 90


def test_postgresql_knows_the_request(shared_service: Service, tenant: Tenant) -> None:
    running = "SELECT application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(shared_service.conninfo) as holder:
        holder.execute(f"LOCK TABLE {tenant.schema}.t".encode())
        asking = threading.Thread(
            target=ask, args=(shared_service, tenant, "SELECT * FROM t"), kwargs={"X-Request-ID": "my-id"}
        )
        asking.start()
        until_somebody_waits(shared_service)
        assert shared_service.execute(running) == [("postgate tenant my-id",)]
        holder.rollback()
        asking.join()
    idle = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle'"
    assert {name for (name,) in shared_service.execute(idle)} == {"postgate"}


@pytest.mark.parametrize(
    ("name", "request_id", "expected"),
    [
        ("shop", "a", "postgate shop a"),
        ("n" * 100, "0123456789abcdef01234567", "postgate " + "n" * 29 + " 0123456789abcdef01234567"),
        ("n" * 100, "i" * 128, "postgate " + "n" * 17 + " " + "i" * 36),
        ("caf\u00e9\n", "a", "postgate caf?? a"),
    ],
)
def test_the_name_of_a_transaction_fits(name: str, request_id: str, expected: str) -> None:
    limits = DatabaseLimits(None, 0, 0, None, None, None)
    tenant = Operations("", frozenset())
    access = Access("", "", "", name, "", tenant, 0, limits, None, "", Owner("", 1, 1), 0.0)
    *_, found = prologue_for(access, 1000).command(request_id).parameters
    assert found is not None and found.decode() == expected
    assert len(found) <= 63


def test_what_goes_wrong_meanwhile_has_the_id(shared_service: Service, tenant: Tenant) -> None:
    with a_service(shared_service.conninfo, statement_timeout_ms=300) as impatient, log_lines() as written:
        answer = ask(impatient, tenant, "SELECT count(*) FROM generate_series(1, 1000000000)")
    assert answer.code == "TIMEOUT"
    told = {line["event"]: line for line in map(json.loads, written)}
    assert told["statement_cancelled"]["why"] == "time_is_up"
    assert told["statement_cancelled"]["request_id"] == told["request"]["request_id"]
    assert told["request"]["level"] == "warning"
    assert told["request"]["stages_ms"]["statement"] > 250


def test_a_revoked_token_is_told_of(service: Service) -> None:
    tenant = service.tenant()
    service.query("SELECT 1 AS a", token=tenant.token)
    with log_lines() as written:
        service.execute("DELETE FROM postgate_tokens WHERE database_id = %s", tenant.id)
        assert service.query("SELECT 1 AS a", token=tenant.token).code == "UNAUTHORIZED"
        assert service.query("SELECT 1 AS a", token=tenant.token).code == "UNAUTHORIZED"
    revoked = [line for line in map(json.loads, written) if line["event"] == "token_revoked"]
    assert [line["database_id"] for line in revoked] == [tenant.id]


def test_the_client_may_learn_the_stages(shared_service: Service, tenant: Tenant) -> None:
    assert "Server-Timing" not in ask(shared_service, tenant, "SELECT 1 AS a").headers
    with a_service(shared_service.conninfo, server_timing=True) as telling:
        for sql in ("SELECT 1 AS a", "SELECT 1 AS a FROM missing"):
            header = ask(telling, tenant, sql).headers["Server-Timing"]
            stages = dict(re.findall(r"(\w+);dur=([0-9.]+)(?:, |$)", header))
            assert set(stages) == {*STAGES, "total"}
            parts = sum(float(value) for name, value in stages.items() if name != "total")
            assert parts == pytest.approx(float(stages["total"]), abs=0.02)


def test_a_request_that_waits_for_its_turn_is_told_of_once(shared_service: Service) -> None:
    tenant = shared_service.tenant()
    slow = "SELECT count(*) FROM generate_series(1, 3000000)"
    with (
        a_service(shared_service.conninfo, max_concurrency=1, slow_concurrency=1) as narrow,
        answered_requests() as told,
    ):
        asking = [threading.Thread(target=ask, args=(narrow, tenant, slow)) for _ in range(3)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert [record.status for record in told] == [200] * 3
    assert max(record.stages_ms["queue"] for record in told) > 100


@pytest.mark.parametrize(
    ("statements", "shown"),
    [("none", []), ("errors", ["failed"]), ("slow", ["slow", "failed"]), ("all", ["quick", "slow", "failed"])],
)
def test_statements_stand_in_the_log_without_constants(
    shared_service: Service, tenant: Tenant, statements: str, shown: list[str]
) -> None:
    texts = {
        "quick": ("SELECT 'canary' AS a, 4711 AS b", "select ? as a, ? as b"),
        "slow": (
            "SELECT count(*) FROM generate_series(1, 3000000) -- canary",
            "select count (*) from generate_series (?, ?)",
        ),
        "failed": ("SELECT 'canary' FROM missing", "select ? from missing"),
    }
    with lines(statements=statements, slow_ms=100) as told:
        for sql, _ in texts.values():
            ask(shared_service, tenant, sql)
        ask(shared_service, tenant, "SELECT 'canary")
    assert [line["statement"] for line in told if line.get("statement")] == [texts[name][1] for name in shown]
    assert "canary" not in str(told)


def test_a_batch_has_a_fingerprint_for_each_statement(shared_service: Service, tenant: Tenant) -> None:
    queries = [{"sql": f"INSERT INTO t VALUES ({number})"} for number in range(3)] + [{"sql": "SELECT a FROM t"}]
    with lines(statements="all") as told:
        shared_service.post(json.dumps({"queries": queries}).encode(), tenant.token)
    assert len(told[0]["fingerprint"].split(",")) == 2
    assert told[0]["statements"] == 4
    assert told[0]["statement"].count("insert into t values (?)") == 3


def test_a_service_says_nothing_but_json_where_nobody_sits(conninfo: str, tmp_path: Path) -> None:
    """From the first step of the start to the end, gunicorn's own lines, and a reload and a killed worker between."""
    command = [sys.executable, "-m", "postgate", "serve"]
    with running(command, tmp_path, DATABASE_URL=conninfo, POSTGATE_LOG_FORMAT="", POSTGATE_WORKERS="2") as process:
        process.healthy()
        there = Service(process.port, conninfo)
        for number in range(20):
            there.query(f"SELECT {number} AS a")
        process.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        psutil.Process(process.process.pid).children()[0].kill()
        process.healthy()
        assert process.stop() == 0
    told = [json.loads(line) for line in process.said.splitlines()]
    assert {"time", "level", "event", "message"} <= set.intersection(*map(set, told))
    assert {line["event"] for line in told} >= {"announcement", "request", "log"}
    assert sum(line.get("path") == "/query" for line in told) == 20


@pytest.mark.parametrize("name", ["gunicorn.error", "opentelemetry.sdk", "psycopg", "py.warnings"])
def test_a_line_of_a_library_is_json_too(tmp_path: Path, name: str) -> None:
    script = """
import logging, sys
from postgate.observe.log import configure_logging
configure_logging("info", "json")
logging.getLogger(sys.argv[1]).warning("of two\\nlines")
"""
    line = json.loads(execute([sys.executable, "-c", script, name], tmp_path).stderr)
    assert (line["level"], line["logger"], line["message"]) == ("warning", name, "of two\nlines")


def test_the_reason_why_it_does_not_start_is_json_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"POSTGATE_PORT": str(taken.getsockname()[1]), "POSTGATE_LOG_FORMAT": "json"}
        done = execute([sys.executable, "-m", "postgate", "serve"], tmp_path, **settings)
    line = json.loads(done.stderr)
    assert (done.returncode, line["event"], line["level"]) == (1, "start_failed", "critical")
    assert "is taken" in line["message"]
