"""The answer that tells an error, made in this one place: for the endpoints, and for what is no request."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

from postgate.errors import PostgateError

# On every answer: what a tenant's data are must not be guessed from them, and no cache between us may keep them.
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def refusal(
    error: PostgateError, status: int | None = None, envelope: Mapping[str, object] | None = None
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body, as WSGI has them.

    Args:
        status, envelope: for a client that expects others than the error's own.
    """
    body = orjson.dumps(error.envelope() if envelope is None else envelope)
    status = status or error.status
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **HEADERS, **error.headers}
    return f"{status} {HTTPStatus(status).phrase}", list(headers.items()), body
