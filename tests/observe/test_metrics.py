"""What Prometheus is told is what has happened, in all workers together."""

import contextlib
import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from support.events import counted, log_lines
from support.processes import Process, free_port, running
from support.service import Service, Tenant, a_service

from postgate.config import Config
from postgate.errors import Unavailable
from postgate.observe import metrics
from postgate.observe.metrics import METRICS, Board, Tally
from postgate.postgres.pools import FAIL_FAST_S, Pools, PoolState
from postgate.service import Service as ServiceOfAWorker

Samples = dict[str, dict[tuple[str, ...], float]]


def parsed(text: str) -> tuple[list[Metric], Samples]:
    families = list(text_string_to_metric_families(text))
    samples: Samples = {}
    for family in families:
        for sample in family.samples:
            key = tuple(value for name, value in sorted(sample.labels.items()))
            assert key not in samples.setdefault(sample.name, {}), f"{sample.name} {key} is there twice"
            samples[sample.name][key] = sample.value
    return families, samples


def told(tally: Tally) -> Samples:
    registry = CollectorRegistry()
    registry.register(Board(tally, lambda: True, "1"))
    return parsed(generate_latest(registry).decode())[1]


@pytest.fixture(scope="module")
def tenant(shared_service: Service) -> Tenant:
    tenant = shared_service.tenant(max_rows=10)
    shared_service.query("CREATE TABLE t (a int)", token=tenant.token)
    return tenant


def test_what_requests_leave_behind(shared_service: Service, tenant: Tenant) -> None:
    with counted(slow_s=0.1, by_database=True) as tally, a_service(shared_service.conninfo) as service:
        for number in range(3):
            service.query("INSERT INTO t VALUES ($1), ($1)", number, token=tenant.token)
        service.query("SELECT count(*) AS a FROM generate_series(1, 3000000)", token=tenant.token)
        service.query("SELECT a FROM generate_series(1, 11) AS a", token=tenant.token)
        service.query("SELECT pg_sleep(1)", token=tenant.token)
        service.query("SELECT 1 / 0", token=tenant.token)
        service.query("SELECT 1 AS a", token="pg_" + "0" * 64)
        service.request("GET", "/health")
        service.request("GET", "/x")
    samples = told(tally)
    assert samples["postgate_requests_total"] == {
        ("OK", "query"): 4,
        ("ROW_LIMIT_EXCEEDED", "query"): 1,
        ("PARSE_ERROR", "query"): 1,
        ("DATABASE_ERROR", "query"): 1,
        ("UNAUTHORIZED", "query"): 1,
        ("OK", "health"): 1,
        ("NOT_FOUND", "other"): 1,
    }
    assert samples["postgate_refused_total"] == {
        ("limit",): 1,
        ("function_denied",): 1,
        ("unauthorized",): 1,
        ("not_found",): 1,
    }
    assert samples["postgate_limits_total"] == {("rows",): 1}
    assert samples["postgate_slow_requests_total"] == {(): 1}
    assert samples["postgate_rows_total"] == {(): 7}
    assert samples["postgate_look_ups_total"] == {("asked",): 2, ("remembered",): 5}
    assert samples["postgate_verdicts_total"] == {("made",): 5, ("remembered",): 2}
    assert samples["postgate_prologues_total"] == {("sent",): 1, ("prepared",): 5}
    assert samples["postgate_connections_total"][("shared", "opened")] >= 1
    assert samples["postgate_request_seconds_count"] == {(): 8}
    assert samples["postgate_stage_seconds_count"][("statement",)] == 6
    assert samples["postgate_database_requests_total"] == {(tenant.id,): 7}
    assert samples["postgate_database_rows_total"] == {(tenant.id,): 7}
    assert samples["postgate_database_seconds_total"][(tenant.id,)] > 0.1


def test_without_the_setting_no_database_has_a_series(shared_service: Service, tenant: Tenant) -> None:
    with counted() as tally:
        shared_service.query("SELECT 1 AS a", token=tenant.token)
    assert tenant.id not in str(told(tally))


def test_the_busiest_databases_have_series() -> None:
    tally = Tally(1, by_database=True)
    for number in range(300):
        tally.add("postgate_database_requests", f"d{number}", count=number)
        tally.add("postgate_database_rows", f"d{number}", count=1)
    samples = told(tally)
    busiest = {(f"d{number}",) for number in range(200, 300)}
    assert samples["postgate_database_requests_total"].keys() == busiest
    assert samples["postgate_database_rows_total"].keys() == busiest
    tally.keep_the_busiest(10)
    assert len(tally.counters) == 20


def test_an_outage_is_counted_and_told_of_once() -> None:
    pools = Pools(Config(conninfo="host=127.0.0.1 port=1 user=x password=s3cret dbname=y"))
    with counted() as tally, log_lines(level="info") as lines:
        for _ in range(3):
            with pytest.raises(Unavailable), pools.connection(pools.shared):
                pass
            time.sleep(FAIL_FAST_S)
    pools.close()
    samples = told(tally)
    assert samples["postgate_connections_total"] == {("shared", "refused"): 3}
    assert [json.loads(line)["event"] for line in lines] == ["connection_refused"]
    assert "s3cret" not in lines[0]


def test_who_waits_for_a_connection_is_counted(shared_service: Service) -> None:
    pools = Pools(Config(conninfo=shared_service.conninfo, pool_size=1, pool_timeout_s=0.3))
    with counted() as tally, pools.connection(pools.shared):
        with pytest.raises(Unavailable), pools.connection(pools.shared):
            pass
        assert pools.states() == [("shared", PoolState(open=1, free=0, waiting=0))]
    pools.close()
    samples = told(tally)
    assert samples["postgate_pool_full_total"] == {("shared",): 1}
    assert samples["postgate_pool_wait_seconds_total"][("shared",)] == pytest.approx(0.3, abs=0.2)


def test_the_pool_of_a_worker_that_serves_nobody_is_there(shared_service: Service) -> None:
    """A worker that nobody asked, or whose pool was idle and is gone, has what a pool may have all the same."""
    service = ServiceOfAWorker(Config(conninfo=shared_service.conninfo, pool_size=7))
    assert {name: value for (name, labels), value in service.gauges().items() if labels == ("shared",)} == {
        "postgate_pool_limit": 7,
        "postgate_pool_open": 0,
        "postgate_pool_free": 0,
        "postgate_pool_waiting": 0,
    }
    with service.pools.connection(service.pools.shared):
        assert service.gauges()["postgate_pool_open", ("shared",)] == 1
    service.close()
    assert service.gauges()["postgate_pool_limit", ("shared",)] == 7


def test_names_and_texts_are_as_prometheus_wants_them() -> None:
    """What `promtool check metrics` looks at."""
    tally = Tally(1, True)
    for name, definition in METRICS.items():
        if definition.kind == "counter":
            tally.add(name, *definition.labels)
        elif definition.kind == "summary":
            tally.histograms[(name, definition.labels)] = [1.0, 2.0]
        elif definition.kind == "histogram":
            tally.histograms[(name, definition.labels)] = [1.0] * (len(metrics.BUCKETS) + 2)
    registry = CollectorRegistry()
    registry.register(Board(tally, lambda: True, "1"))
    families, samples = parsed(generate_latest(registry).decode())
    assert {family.name for family in families} == {*METRICS, "postgate_build_info"}
    for family in families:
        assert re.fullmatch(r"postgate_[a-z_]+", family.name)
        assert family.documentation and not family.documentation.endswith(".")
        assert not re.search(r"_(total|count|sum|bucket|milliseconds|ms|kb|mb)$", family.name), family.name
        assert ("time" not in family.documentation.lower().split()) or "seconds" in family.name, family.name
        for sample in family.samples:
            if family.type == "histogram" and sample.name.endswith("_bucket"):
                bounds = [
                    (float(other.labels["le"]), other.value)
                    for other in family.samples
                    if other.name == sample.name and {**other.labels, "le": ""} == {**sample.labels, "le": ""}
                ]
                assert bounds == sorted(bounds, key=lambda bound: (bound[0], bound[1]))
                assert bounds[-1][0] == float("inf")
    assert samples["postgate_request_seconds_count"] == {(): len(metrics.BUCKETS) + 1}


@contextlib.contextmanager
def serving(directory: Path, conninfo: str, **settings: str) -> Iterator[tuple[Process, int]]:
    metrics_port = free_port()
    given = {"DATABASE_URL": conninfo, "POSTGATE_METRICS_PORT": str(metrics_port), **settings}
    with running([sys.executable, "-m", "postgate", "serve"], directory, **given) as process:
        process.healthy()
        yield process, metrics_port


def scraped(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return parsed(answer.read().decode())[1]


def until(port: int, name: str, labels: tuple[str, ...], value: float) -> Samples:
    deadline = time.monotonic() + 20
    while (samples := scraped(port)).get(name, {}).get(labels) != value:
        assert time.monotonic() < deadline, samples.get(name)
        time.sleep(0.2)
    return samples


def test_all_workers_are_counted_whatever_becomes_of_them(shared_service: Service, tmp_path: Path) -> None:
    tenant = shared_service.tenant()
    with serving(tmp_path, shared_service.conninfo, POSTGATE_WORKERS="2") as (process, port):
        there = Service(process.port, shared_service.conninfo)
        for number in range(200):
            assert there.query(f"SELECT {number % 7} AS a", token=tenant.token).status == 200
        until(port, "postgate_workers", (), 2)
        samples = until(port, "postgate_requests_total", ("OK", "query"), 200)
        assert samples["postgate_rows_total"] == {(): 200}
        assert samples["postgate_database_up"] == {(): 1}
        assert samples["postgate_pool_limit"][("shared",)] == 32
        assert 1 <= samples["postgate_pool_open"][("shared",)] <= 32
        assert len(samples["postgate_build_info"]) == 1
        # The port of the service has none of it.
        assert there.request("GET", "/metrics").status == 404
        # A worker that is replaced, with time or without, takes nothing with it.
        os.kill(process.process.pid, signal.SIGHUP)
        time.sleep(2)
        for _ in range(50):
            assert there.query("SELECT 1 AS a", token=tenant.token).status == 200
        until(port, "postgate_requests_total", ("OK", "query"), 250)
        psutil.Process(process.process.pid).children()[0].kill()
        process.healthy()
        for _ in range(50):
            there.request("GET", "/x")
        samples = until(port, "postgate_requests_total", ("NOT_FOUND", "other"), 51)
        assert samples["postgate_requests_total"][("OK", "query")] == 250
        assert process.stop() == 0


def test_the_port_is_named_where_it_is_taken(shared_service: Service, tmp_path: Path) -> None:
    port = free_port()
    given = {"DATABASE_URL": shared_service.conninfo, "POSTGATE_METRICS_PORT": str(shared_service.port)}
    with running([sys.executable, "-m", "postgate", "serve"], tmp_path, port, **given) as process:
        assert process.end() != 0
    assert "name another by POSTGATE_METRICS_PORT" in process.said


def test_gunicorn_with_our_settings_has_them_too(shared_service: Service, tmp_path: Path) -> None:
    port, metrics_port = free_port(), free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:postgate.server.conf", "postgate.wsgi:app"]
    given = {"DATABASE_URL": shared_service.conninfo, "POSTGATE_METRICS_PORT": str(metrics_port)}
    with running(command, tmp_path, port, **given) as process:
        process.healthy()
        json.loads(Service(port, shared_service.conninfo).query("SELECT 1 AS a").text)
        samples = until(metrics_port, "postgate_requests_total", ("OK", "query"), 1)
        assert samples["postgate_database_up"] == {(): 1}
