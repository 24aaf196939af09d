"""The answer that tells an error, made in this one place: for the endpoints, and for what is no request."""

from __future__ import annotations

from http import HTTPStatus

import orjson

from postgate.errors import PostgateError

# On every answer: what a tenant's data are must not be guessed from them, and no cache between us may keep them.
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def refusal(error: PostgateError) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body, as WSGI has them."""
    body = orjson.dumps(error.envelope())
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **HEADERS, **error.headers}
    return f"{error.status} {HTTPStatus(error.status).phrase}", list(headers.items()), body
