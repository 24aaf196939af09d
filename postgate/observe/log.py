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
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from time import gmtime, strftime, time

import orjson

from postgate.observe import events, requests, telling
from postgate.observe.alike import Answered, Kind
from postgate.observe.events import Announcement, Event, UnexpectedFailure, happened
from postgate.observe.requests import RequestRecord, limit_hit
from postgate.observe.traces import trace_id

# A write of no more than this to a pipe is never mixed with another process' (POSIX, write).
_BLOCK_BYTES = 4096
# Of requests with so many statements what many of them have in common is remembered.
_MOST_REMEMBERED = 20
# Fields that a line of text has elsewhere.
_IN_SUMMARY = frozenset({"method", "path", "status", "code"})
_BELOW = frozenset({"frames"})
# Loggers of others whose lines are ours too.
_FOREIGN = ("gunicorn.error", "opentelemetry", "psycopg", "py.warnings")


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
            fields["request_id"] = record.id
            if record.database_id:
                fields["database_id"] = record.database_id
        self._write(self._line(time(), level, event.name, message, fields))

    def answered(self, told: Answered) -> None:
        forms = {alike: self._form(alike.kind, is_slow=False) for alike in told.alike}
        block = b""
        for record, alike in zip(told.records, told.of_each, strict=True):
            is_slow = record.seconds >= self._slow_s
            form = self._form(alike.kind, is_slow) if is_slow else forms[alike]
            if form is None:
                continue
            line = form(record, self._text_of(record, is_slow))
            if len(block) + len(line) > _BLOCK_BYTES:
                self._write(block)
                block = b""
            block += line
        self._write(block)

    def _form(self, kind: Kind, is_slow: bool) -> Callable[[RequestRecord, str], bytes] | None:
        """What makes the line of a request of this kind, and of the text of its statements; None if it has none."""
        level = kind.severity(is_slow)
        if level < self._level:
            return None
        if not self._as_json:
            return partial(_text_of_request, level, kind)
        of_kind = _json_template if len(kind.statements) <= _MOST_REMEMBERED else _json_template.__wrapped__
        return partial(_json_of_request, of_kind(level, kind))

    def _text_of(self, record: RequestRecord, is_slow: bool) -> str:
        """The statements without constants, or "" where they are not wanted."""
        if self._statements == "none" or record.texts is None:
            return ""
        is_wanted = self._statements == "all" or bool(record.code) or (self._statements == "slow" and is_slow)
        return "; ".join(record.texts()) if is_wanted else ""

    def _line(self, at: float, level: int, event: str, message: str, fields: Mapping[str, object]) -> bytes:
        return _json(at, level, event, message, fields) if self._as_json else _text(at, level, message, fields, _BELOW)

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
        telling.unlisten(_log.answered)
    log_format = log_format or ("text" if sys.stderr.isatty() else "json")
    _log = Log(level, log_format == "json", slow_ms, statements)
    events.listen(_log.heard)
    telling.listen(_log.answered)
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


def _of_kind(kind: Kind) -> dict[str, object]:
    """The fields of a line that many requests share; what there is nothing to say of is left out."""
    # PEP 3333 has the bytes of it as characters.
    path = kind.path.encode("latin-1", "replace").decode("utf-8", "replace")
    what = f"{kind.method} {path[:100]}" if kind.method else "no request"
    fields: dict[str, object] = {
        "message": f"{kind.status} {what}" + (f": {kind.code}" if kind.code else ""),
        "method": kind.method,
        "path": path,
        "status": kind.status,
        "outcome": kind.outcome,
        "code": kind.code,
        "reason": kind.reason,
        "sqlstate": kind.sqlstate,
        "limit": limit_hit(kind.code, kind.reason),
        "token": kind.token_prefix,
        "database_id": kind.database_id,
        "database": kind.database_name,
        "operations": ",".join(sorted(requests.operations(kind.statements))),
        "fingerprint": requests.fingerprints(kind.statements),
        "statements": len(kind.statements) if len(kind.statements) > 1 else "",
        "attempts": kind.attempts if kind.attempts > 1 else "",
    }
    return {name: value for name, value in fields.items() if value != ""}


def _of_few(record: RequestRecord, statement: str) -> dict[str, object]:
    """The fields that few requests have, and each of them for itself."""
    fields: dict[str, object] = {}
    if record.forwarded_for:
        fields["forwarded_for"] = record.forwarded_for
    if record.traceparent:
        fields["trace_id"] = trace_id(record)
    if statement:
        fields["statement"] = statement
    return fields


# A template depends on what it is made of alone, so nothing makes it stale.
@lru_cache(4096)
def _json_template(level: int, kind: Kind) -> bytes:
    """A line, for what each request has for itself."""
    taken = b",".join(b'"%b":%%.3f' % stage.encode() for stage in kind.stages)
    common = _ascii(_of_kind(kind))[1:].replace(b"%", b"%%")
    return (
        b'{"time":"%%b.%%03dZ","level":"%b","event":"request","request_id":%%b,"client":%%b,"rows":%%d,"body_bytes":%%d,'
        b'"bytes":%%d,"ms":%%.3f,"stages_ms":{%b},%b\n' % (_level(level).encode(), taken, common)
    )


def _json_of_request(template: bytes, record: RequestRecord, statement: str) -> bytes:
    second = int(record.began)
    line = template % (
        _second(second),
        (record.began - second) * 1000,
        orjson.dumps(record.id),
        orjson.dumps(record.client),
        record.rows,
        record.body_bytes,
        record.answer_bytes,
        record.seconds * 1000,
        *record.taken_ms,
    )
    if statement or record.forwarded_for or record.traceparent:
        return b"%b,%b\n" % (line[:-2], _ascii(_of_few(record, statement))[1:])
    return line


def _text_of_request(level: int, kind: Kind, record: RequestRecord, statement: str) -> bytes:
    fields = _of_kind(kind) | {
        "request_id": record.id,
        "client": record.client,
        **_of_few(record, statement),
        "rows": record.rows,
        "body_bytes": record.body_bytes,
        "bytes": record.answer_bytes,
        "stages_ms": {stage: f"{taken:.3f}" for stage, taken in record.stages_ms.items()},
    }
    return _text(record.began, level, f"{fields.pop('message')} in {record.seconds * 1000:.3f} ms", fields, _IN_SUMMARY)


def _json(at: float, level: int, event: str, message: str, fields: Mapping[str, object]) -> bytes:
    return _ascii({"time": _when(at), "level": _level(level), "event": event, "message": message, **fields}) + b"\n"


def _ascii(fields: Mapping[str, object]) -> bytes:
    """As JSON without a character beyond ASCII: there are line breaks among them, and what terminals act on."""
    written = orjson.dumps(fields)
    return written if written.isascii() else json.dumps(fields).encode()


def _text(at: float, level: int, message: str, fields: Mapping[str, object], left_out: frozenset[str]) -> bytes:
    told = "".join(f" {name}={_word(value)}" for name, value in fields.items() if name not in left_out)
    frames = str(fields.get("frames", ""))
    line = f"{_when(at)} {_level(level).upper()} {_printable(message)}{told}"
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
    return f"{_second(second).decode()}.{int((at - second) * 1000):03d}Z"


@lru_cache
def _level(level: int) -> str:
    return str(logging.getLevelName(level)).lower()


@lru_cache
def _second(at: int) -> bytes:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at)).encode()


def _to_stderr(block: bytes) -> None:
    try:
        while block:
            block = block[os.write(sys.stderr.fileno(), block) :]
    except (OSError, ValueError, AttributeError):
        # Nobody reads it any more, and no request is to fail for that.
        return
