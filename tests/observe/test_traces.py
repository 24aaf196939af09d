"""A query is a span in the trace of whoever has sent it, and its stages are spans below."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.events import log_lines
from support.processes import execute, free_port, running
from support.service import Service

from postgate.observe import traces

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Takes what an exporter sends by OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Any]:
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {item.key: item.value.string_value for item in resource.resource.attributes}
                found += [(names["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
        return found


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()


def attributes(span: Any) -> dict[str, Any]:
    values = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}
    return {name: int(value) if isinstance(value, int) else value for name, value in values.items()}


def serve(directory: Path, service: Service, requests: list[tuple[str, dict[str, str]]], **settings: str) -> list[Any]:
    """What a service sends of these requests until it has stopped, by whose name; tokens and values are not in it."""
    port = free_port()
    with collecting() as collector:
        settings = {
            "DATABASE_URL": service.conninfo,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            **settings,
        }
        with running([sys.executable, "-m", "postgate", "serve"], directory, port, **settings) as process:
            process.healthy()
            there = Service(port, service.conninfo)
            for sql, headers in requests:
                body = json.dumps({"sql": sql, "params": ["s3cret"] if "$1" in sql else []}).encode()
                there.post(body, **headers)
            assert process.stop() == 0, process.said
        sent = b"".join(collector.bodies)
        assert b"s3cret" not in sent and there.admin.encode() not in sent
        return collector.spans


def test_the_spans_of_a_query(shared_service: Service, tmp_path: Path) -> None:
    requests = [
        ("SELECT $1::text AS a, 's3cret' AS b", {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "mine"}),
        ("SELECT 1 / 0", {"traceparent": f"00-{TRACE}-{PARENT}-00"}),
        ("SELECT 1 / 0", {"traceparent": "nonsense"}),
    ]
    spans = serve(tmp_path, shared_service, requests)
    assert {name for name, _ in spans} == {"postgate"}
    of_trace = {span.name: span for _, span in spans if span.trace_id.hex() == TRACE}
    # The second one is of a trace that nobody records.
    assert set(of_trace) == {"POST /query", "verdict", "wait for a connection", "statement"}
    assert len([span for _, span in spans if span.name == "POST /query"]) == 2
    whole, statement = of_trace["POST /query"], of_trace["statement"]
    assert whole.parent_span_id.hex() == PARENT
    for part in of_trace.values():
        assert part is whole or part.parent_span_id == whole.span_id
        assert whole.start_time_unix_nano <= part.start_time_unix_nano
        assert part.start_time_unix_nano <= part.end_time_unix_nano <= whole.end_time_unix_nano
    assert statement.end_time_unix_nano - statement.start_time_unix_nano > 100_000
    told = attributes(whole)
    assert told["http.response.status_code"] == 200
    assert told["postgate.request_id"] == "mine"
    assert attributes(statement)["db.operation.name"] == "SELECT"
    assert attributes(statement)["db.response.returned_rows"] == 1
    (failed,) = [span for _, span in spans if span.name == "POST /query" and span.trace_id.hex() != TRACE]
    assert failed.parent_span_id == b""
    assert attributes(failed)["error.type"] == "DATABASE_ERROR"
    assert failed.status.code == 2


def test_the_standard_variables_count(shared_service: Service, tmp_path: Path) -> None:
    requests = [("SELECT 1 AS a", {})]
    named = serve(tmp_path, shared_service, requests, OTEL_SERVICE_NAME="shop")
    assert {name for name, _ in named} == {"shop"}
    for settings in (
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
    ):
        assert serve(tmp_path, shared_service, requests, **settings) == []


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with log_lines() as lines:
        traces.start()
    assert [json.loads(line)["event"] for line in lines] == ["traces_off"]


def test_without_the_extra_the_service_serves(shared_service: Service, tmp_path: Path) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['opentelemetry'] = None\n")
    program = """
from postgate.observe import traces
from postgate.observe.log import configure_logging
configure_logging("info", "text")
traces.start()
"""
    done = execute(
        [sys.executable, "-c", program],
        tmp_path,
        PYTHONPATH=str(tmp_path),
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
    )
    assert done.returncode == 0, done.stderr
    assert "install postgate[otel]" in done.stderr


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{PARENT}-01", TRACE),
        (f"01-{TRACE}-{PARENT}-01-more", TRACE),
        (f"00-{TRACE.upper()}-{PARENT}-01", ""),
        (f"ff-{TRACE}-{PARENT}-01", ""),
        (f"00-{'0' * 32}-{PARENT}-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        ("nonsense", ""),
    ],
)
def test_the_line_of_a_request_has_the_trace(shared_service: Service, header: str, expected: str) -> None:
    with log_lines() as lines:
        shared_service.post(b'{"sql": "SELECT 1 AS a"}', traceparent=header)
    told = [line for line in map(json.loads, lines) if line["event"] == "request"]
    assert [line.get("trace_id", "") for line in told] == [expected]
