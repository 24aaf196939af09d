"""The log on stderr: a line for each event and each request, as JSON or as text, and no other lines in between.

A line is safe from what clients send: line breaks and all else that is not printable are escaped.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from time import gmtime, strftime, time

import orjson

from postgate.observe import events, requests
from postgate.observe.events import Announcement, Event, UnexpectedFailure, happened
from postgate.observe.requests import RequestRecord
from postgate.observe.traces import trace_id

# A write of no more than this to a pipe is never mixed with another process' (POSIX, write).
_BLOCK_BYTES = 4096
# Fields that a line of text has elsewhere.
_IN_SUMMARY = frozenset({"method", "path", "status", "code", "ms"})
_BELOW = frozenset({"frames"})
# Loggers of others whose lines are ours too.
_FOREIGN = ("gunicorn.error", "opentelemetry", "py.warnings")


class Log:
    """A listener that writes what happens."""

    def __init__(
        self,
        level: str,
        as_json: bool,
        slow_ms: float = float("inf"),
        statements: str = "none",
        write: Callable[[bytes], None] | None = None,
    ) -> None:
        """
        Args:
            level: debug, info, warning, error or critical; what matters less is left out.
            slow_ms: a request that takes as long is a warning.
            statements: the requests whose statements stand in the log, without constants: none, errors, slow (and
                errors) or all.
            write: takes whole lines; when None they go to stderr.
        """
        self._write = write or _to_stderr
        self._level = int(logging.getLevelName(level.upper()))
        self._line = _json if as_json else _text
        self._as_json = as_json
        self._slow_s = slow_ms / 1000
        self._statements = statements

    def heard(self, event: Event) -> None:
        level = event.severity()
        if level < self._level:
            return
        fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        message = event.words.format_map(fields)
        if isinstance(event, Announcement) and not self._as_json:
            self._write(message.rstrip("\n").encode() + b"\n")
            return
        fields = {name: value for name, value in fields.items() if value != message}
        if (record := requests.current.get()) is not None:
            fields |= (
                {"request_id": record.id, "database_id": record.database_id}
                if record.database_id
                else {"request_id": record.id}
            )
        self._write(self._line(time(), level, event.name, message, fields))

    def answered(self, records: Sequence[RequestRecord]) -> None:
        block = b""
        for record in records:
            level = record.severity(self._slow_s)
            if level < self._level:
                continue
            fields = request_fields(record)
            if self._shows_statements(record) and record.statements is not None:
                fields["statement"] = "; ".join(record.statements())
            line = self._line(record.began, level, "request", _summary(record), fields)
            if len(block) + len(line) > _BLOCK_BYTES:
                self._write(block)
                block = b""
            block += line
        self._write(block)

    def _shows_statements(self, record: RequestRecord) -> bool:
        if self._statements in ("none", "all"):
            return self._statements == "all"
        return bool(record.code) or (self._statements == "slow" and record.seconds >= self._slow_s)

    def foreign(self, record: logging.LogRecord) -> None:
        """A line of another library's."""
        if record.levelno < self._level:
            return
        fields = {"logger": record.name, "process": record.process}
        if record.exc_info:
            fields["frames"] = logging.Formatter().formatException(record.exc_info)
        self._write(self._line(record.created, record.levelno, "log", record.getMessage(), fields))


_log: Log | None = None


def configure_logging(
    level: str, log_format: str = "", slow_ms: float = float("inf"), statements: str = "none"
) -> None:
    """Log to stderr; called again it replaces what it was told before.

    Args:
        level, slow_ms, statements: as of `Log`.
        log_format: json or text; "" for text at a terminal, and json elsewhere.
    """
    global _log
    if _log is not None:
        events.unlisten(_log.heard)
        requests.unlisten(_log.answered)
    log_format = log_format or ("text" if sys.stderr.isatty() else "json")
    _log = Log(level, log_format == "json", slow_ms, statements)
    events.listen(_log.heard)
    requests.listen(_log.answered)
    for name in _FOREIGN:
        logging.getLogger(name).handlers = [_ForeignHandler(_log)]
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


class _ForeignHandler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._to = log

    def emit(self, record: logging.LogRecord) -> None:
        self._to.foreign(record)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        happened(UnexpectedFailure.of(failure.exc_value))


def request_fields(record: RequestRecord) -> dict[str, object]:
    """What a line says of a request; what there is nothing to say of is left out."""
    path = record.path
    if not path.isascii():
        # PEP 3333 has the bytes of it as characters.
        path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    fields: dict[str, object] = {
        "request_id": record.id,
        "client": record.client,
        "status": record.status,
        "outcome": record.outcome,
    }
    if record.method:
        fields["method"], fields["path"] = record.method, path
    if record.traceparent:
        fields["trace_id"] = trace_id(record)
    if record.forwarded_for:
        fields["forwarded_for"] = record.forwarded_for
    if record.code:
        fields |= {"code": record.code, "reason": record.reason, "sqlstate": record.sqlstate}
    if record.token_prefix:
        fields["token"] = record.token_prefix
    if record.database_id:
        fields["database_id"] = record.database_id
        fields["database"] = record.database_name
        fields["operations"] = _joined(record.operations)
    if record.fingerprints:
        fields["fingerprint"] = ",".join(record.shown_fingerprints())
        if len(record.fingerprints) > 1:
            fields["statements"] = len(record.fingerprints)
        fields["rows"] = record.rows
    if record.attempts > 1:
        fields["attempts"] = record.attempts
    fields["body_bytes"] = record.body_bytes
    fields["bytes"] = record.answer_bytes
    fields["ms"] = int(record.seconds * 1e6) / 1e3
    fields["stages_ms"] = {stage: int(seconds * 1e6) / 1e3 for stage, seconds in record.stages().items()}
    return fields


@lru_cache
def _joined(operations: frozenset[str]) -> str:
    return ",".join(sorted(operations))


def _summary(record: RequestRecord) -> str:
    what = f"{record.method} {record.path[:100]}" if record.method else "no request"
    told = f"{record.status} {what} in {record.seconds * 1000:.1f} ms"
    return f"{told}: {record.code}" if record.code else told


def _json(at: float, level: int, event: str, message: str, fields: Mapping[str, object]) -> bytes:
    line = {"time": _when(at), "level": _level(level), "event": event, "message": message, **fields}
    written = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
    # There are line breaks beyond ASCII too, and terminals act on some characters.
    return written if written.isascii() else json.dumps(line).encode() + b"\n"


def _text(at: float, level: int, event: str, message: str, fields: Mapping[str, object]) -> bytes:
    left_out = _IN_SUMMARY if event == "request" else _BELOW
    told = "".join(f" {name}={_word(value)}" for name, value in fields.items() if name not in left_out)
    frames = str(fields.get("frames", ""))
    line = f"{_when(at)} {logging.getLevelName(level)} {_printable(message)}{told}"
    return f"{line}\n{frames}".rstrip("\n").encode("utf-8", "replace") + b"\n"


def _word(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{part}" for name, part in value.items())
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _when(at: float) -> str:
    """RFC 3339, in UTC."""
    second = int(at)
    return f"{_second(second)}.{int((at - second) * 1000):03d}Z"


@lru_cache
def _level(level: int) -> str:
    return str(logging.getLevelName(level)).lower()


@lru_cache
def _second(at: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at))


def _to_stderr(block: bytes) -> None:
    try:
        while block:
            block = block[os.write(sys.stderr.fileno(), block) :]
    except (OSError, ValueError, AttributeError):
        # Nobody reads it any more, and no request is to fail for that.
        return
