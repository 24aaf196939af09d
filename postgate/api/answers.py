"""What goes back to the client when it is not the result: each failure becomes an error of ours here."""

from __future__ import annotations

from time import monotonic

from flask import Response
from werkzeug.exceptions import HTTPException

from postgate.api import neon, statuses
from postgate.errors import DatabaseError, InternalError, MethodNotAllowed, NotFound, PostgateError, RequestRefused
from postgate.http import refusals
from postgate.observe.events import UnexpectedFailure, happened
from postgate.observe.requests import RequestRecord, current, monotonic_began

Headers = list[tuple[str, str]]


def refusal(error: Exception, is_neon: bool = False, by_sqlstate: bool = False) -> tuple[str, Headers, bytes]:
    """The answer to a request that failed: status line, headers and body, as WSGI has them.

    What is no error of ours is logged and told as INTERNAL_ERROR.

    Args:
        is_neon: whether the client is Neon's driver, which reads the body of a 400 only.
        by_sqlstate: whether an error of PostgreSQL has a status that follows from its SQLSTATE.
    """
    told = _public(error)
    record = current.get() or RequestRecord.of({})
    status = told.status
    if is_neon:
        status = 400 if isinstance(told, DatabaseError) else status
    elif by_sqlstate and (sqlstate := told.fields.get("sqlstate")) is not None:
        status = statuses.of_sqlstate(str(sqlstate))
    return refusals.refusal(told, record, status, neon.envelope(told) if is_neon else told.envelope())


def response(error: Exception) -> Response:
    """The same for Flask, where it refuses a request before a view is reached."""
    status, headers, body = refusal(error)
    return Response(body, status, headers)


def of_record(record: RequestRecord, tells_timing: bool) -> Headers:
    """The headers that tell of the request itself, whose answer is made: its id, and if the client is to learn it how
    long each stage has taken, in milliseconds (W3C, "Server Timing")."""
    told = [("X-Request-ID", record.id)]
    if tells_timing:
        record.ended = monotonic()
        record.settle(monotonic_began())
        taken = [*record.stages_ms.items(), ("total", record.seconds * 1000)]
        told.append(("Server-Timing", ", ".join(f"{stage};dur={ms:.3f}" for stage, ms in taken)))
    return told


def _public(error: Exception) -> PostgateError:
    if isinstance(error, PostgateError):
        return error
    if isinstance(error, HTTPException):
        return _http_error(error)
    happened(UnexpectedFailure.of(error))
    return InternalError()


def _http_error(error: HTTPException) -> PostgateError:
    """What Flask and werkzeug refuse before a view is reached."""
    status = error.code or 500
    if status == 404:
        return NotFound()
    if status == 405:
        return MethodNotAllowed(", ".join(sorted(getattr(error, "valid_methods", None) or ())))
    return RequestRefused(status, error.name)
