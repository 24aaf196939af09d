"""The answer that tells an error, made in this one place: for the endpoints, and for what is no request."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

from postgate.errors import PostgateError
from postgate.observe.requests import RequestRecord

# On every answer: what a tenant's data are must not be guessed from them, and no cache between us may keep them.
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def refusal(
    error: PostgateError, record: RequestRecord, status: int, envelope: Mapping[str, object]
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status line, headers and body, as WSGI has them.

    Args:
        record: of the request; it takes note.
        status, envelope: the error's own, or what the client expects in their place.
    """
    record.refused(status, error.code, error.reason, error.fields)
    body = orjson.dumps({**envelope, "request_id": record.id})
    record.answer_bytes = len(body)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **HEADERS, **error.headers}
    return f"{status} {HTTPStatus(status).phrase}", list(headers.items()), body
