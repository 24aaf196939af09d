"""Traces for OpenTelemetry, with the extra postgate[otel]: spans of each query and its stages, made after its answer.

The standard variables tell where they go and which of them (OpenTelemetry, "Environment Variable Specification"):
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, OTEL_BSP_* and so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from postgate.observe import requests, telling
from postgate.observe.alike import Answered
from postgate.observe.events import TracesOff, happened
from postgate.observe.requests import QUERY, RequestRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

# Any of these means that somebody wants traces.
_WANTED = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTERS = "opentelemetry_traces_exporter"
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
# The stages that have a span, and its name.
_STAGES = {"verdict": "verdict", "connection": "wait for a connection", "statement": "statement"}
# W3C, "Trace Context": the version is 00, or a later one that begins in the same way.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def start() -> None:
    """In a process that serves: make spans from now on, if the variables ask for them."""
    global _traces
    environ = os.environ
    is_wanted = any(environ.get(name) for name in _WANTED) and environ.get("OTEL_TRACES_EXPORTER") != "none"
    if not is_wanted or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        happened(TracesOff("install postgate[otel]"))
        return
    exporters = [_exporter(name.strip(), environ) for name in environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")]
    found = [exporter for exporter in exporters if exporter is not None]
    if not found:
        happened(TracesOff("the exporter that OTEL_TRACES_EXPORTER names is not installed"))
        return
    _traces = Traces(_provider(found))
    telling.listen(_traces.answered)


def end() -> None:
    """In a process that ends: send what is left."""
    global _traces
    if _traces is not None:
        telling.tell_now()
        ended, _traces = _traces, None
        ended.end()


def trace_id(record: RequestRecord) -> str:
    """The id of the trace that the client says the request is a part of; "" where it says none."""
    match = _TRACEPARENT.fullmatch(record.traceparent) if record.traceparent else None
    return match[1] if match else ""


class Traces:
    """A listener that makes spans."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("postgate")
        self._propagator = TraceContextTextMapPropagator()

    def answered(self, told: Answered) -> None:
        for record in told.records:
            if record.path == QUERY:
                self._trace(record)

    def end(self) -> None:
        self._provider.shutdown()

    def _trace(self, record: RequestRecord) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        carrier = {"traceparent": record.traceparent or "", "tracestate": record.tracestate or ""}
        intervals = record.intervals()
        began, arrived = record.began, intervals[0][1]

        def at(moment: float) -> int:
            """Nanoseconds since 1970, of a moment of time.monotonic."""
            return int((began + moment - arrived) * 1e9)

        span = self._tracer.start_span(
            f"{record.method} {record.path}",
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=_attributes(record),
            start_time=at(arrived),
        )
        if record.status >= 500:
            span.set_status(Status(StatusCode.ERROR, record.code))
        if span.is_recording():
            inside = set_span_in_context(span)
            for stage, begin, end in intervals:
                if stage in _STAGES:
                    kind = SpanKind.CLIENT if stage == "statement" else SpanKind.INTERNAL
                    attributes = _of_statement(record) if stage == "statement" else None
                    part = self._tracer.start_span(_STAGES[stage], inside, kind, attributes, start_time=at(begin))
                    part.end(at(end))
        span.end(at(record.ended))


def _attributes(record: RequestRecord) -> dict[str, Any]:
    """As OpenTelemetry's semantic conventions for HTTP and databases have them, and ours."""
    told = {
        "http.request.method": record.method,
        "url.path": record.path,
        "http.response.status_code": record.status,
        "client.address": record.client,
        "error.type": record.code,
        "postgate.request_id": record.id,
        "postgate.database_id": record.database_id,
        "postgate.token": record.token_prefix,
        "postgate.attempts": record.attempts,
    }
    return {name: value for name, value in told.items() if value}


def _of_statement(record: RequestRecord) -> dict[str, Any]:
    told = {
        "db.system.name": "postgresql",
        "db.namespace": record.database_name,
        "db.operation.name": ",".join(sorted(requests.operations(record.statements))),
        "db.response.returned_rows": record.rows,
        "db.response.status_code": record.sqlstate,
        "postgate.fingerprint": requests.fingerprints(record.statements),
    }
    return {name: value for name, value in told.items() if value}


def _provider(exporters: Sequence[SpanExporter]) -> TracerProvider:
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        # Nobody has named it.
        resource = resource.merge(Resource({SERVICE_NAME: "postgate"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _exporter(name: str, environ: Mapping[str, str]) -> SpanExporter | None:
    if name == "otlp":
        protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        name = _PROTOCOLS.get(protocol or "http/protobuf", name)
    installed: list[EntryPoint] = list(entry_points(group=_EXPORTERS, name=name))
    return installed[0].load()() if installed else None


_traces: Traces | None = None
