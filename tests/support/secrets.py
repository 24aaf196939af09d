"""What clients of the tests have sent must not be in anything that the service says of itself."""

import os
import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from postgate.observe import events, telling
from postgate.observe.log import Log
from postgate.observe.traces import Traces

# Tokens, connection strings with a password, and what the tests call a secret.
_ALWAYS = re.compile(r"pg_[0-9a-f]{64}|postgres(?:ql)?://[^\\s\"]*:[^\\s\"]*@|password=[^\\s*]|s3cret|hunter2")
_LITERAL = re.compile(r"'((?:[^'\\\\]|'')*)'")
# Shorter values are in a line by chance, such as a number.
_LEAST = 9
_MOST = 50


class Secrets:
    """The values that were sent last, and the places where one of them, or a token, was told."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.looked_at = 0
        self._sent: deque[str] = deque(maxlen=_MOST)

    def send(self, sql: str, params: Sequence[object]) -> None:
        values = [value for value in params if isinstance(value, str)] + _LITERAL.findall(sql[:2_000])
        self._sent += [value[:200] for value in values if len(value) >= _LEAST and not _is_told(value)]

    def look(self, text: str) -> None:
        """Look at something that the service says."""
        self.looked_at += 1
        if (match := _ALWAYS.search(text)) is not None:
            self.found.append(f"{match[0]} in {text[:2000]}")
        for value in tuple(self._sent):
            if value in text:
                self.found.append(f"{value!r} in {text[:2000]}")


def _is_told(value: str) -> bool:
    """Ids and names of databases are no secrets, and neither are words of the service's own."""
    try:
        UUID(value)
    except ValueError:
        return value.isidentifier() or value.isspace()
    return True


SECRETS = Secrets()


class _Ids(IdGenerator):
    """Not by the random module, of which hypothesis watches that nobody uses it beside its own examples."""

    def generate_span_id(self) -> int:
        return int.from_bytes(os.urandom(8)) or 1

    def generate_trace_id(self) -> int:
        return int.from_bytes(os.urandom(16)) or 1


class _Exporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            SECRETS.look(span.to_json())
        return SpanExportResult.SUCCESS


@contextmanager
def looked_for() -> Iterator[None]:
    """Look at every line of the log, with the texts of all statements, and at every tenth trace."""
    lock = threading.Lock()

    def look(block: bytes) -> None:
        with lock:
            for line in block.decode().splitlines():
                SECRETS.look(line)

    logs = [Log("debug", as_json, 0, "all", look) for as_json in (True, False)]
    provider = TracerProvider(TraceIdRatioBased(0.1), shutdown_on_exit=False, id_generator=_Ids())
    provider.add_span_processor(SimpleSpanProcessor(_Exporter()))
    traces = Traces(provider)
    for log in logs:
        events.listen(log.heard)
        telling.listen(log.answered)
    telling.listen(traces.answered)
    try:
        yield
    finally:
        for log in logs:
            events.unlisten(log.heard)
            telling.unlisten(log.answered)
        telling.unlisten(traces.answered)
        traces.end()
