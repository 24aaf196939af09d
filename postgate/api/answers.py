"""What goes back to the client when it is not the result: the error envelope, made in this one place."""

from __future__ import annotations

import orjson
from flask import Response
from werkzeug.exceptions import HTTPException

from postgate.errors import InternalError, MethodNotAllowed, NotFound, PostgateError, RequestRefused
from postgate.observe.log import log_failure

# On every answer: what a tenant's data are must not be guessed from them, and no cache between us may keep them.
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def refusal(error: Exception) -> Response:
    """The answer to a request that failed; what is no error of ours is logged and told as INTERNAL_ERROR."""
    public = _public(error)
    body = orjson.dumps(public.envelope())
    return Response(body, public.status, {**HEADERS, **public.headers}, mimetype="application/json")


def _public(error: Exception) -> PostgateError:
    if isinstance(error, PostgateError):
        return error
    if isinstance(error, HTTPException):
        return _http_error(error)
    log_failure(error)
    return InternalError()


def _http_error(error: HTTPException) -> PostgateError:
    """What Flask and werkzeug refuse before a view is reached."""
    status = error.code or 500
    if status == 404:
        return NotFound()
    if status == 405:
        return MethodNotAllowed(", ".join(sorted(getattr(error, "valid_methods", None) or ())))
    return RequestRefused(status, error.name)
