"""POST /query: one statement of a tenant."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from postgate.access import tokens
from postgate.api import body
from postgate.api.answers import HEADERS
from postgate.errors import BodyTooLarge
from postgate.results import objects
from postgate.service import Service

# A body that is too large is read to its end up to so many times the limit; then the connection is cut.
MOST_DISCARDED = 4
CHUNK_BYTES = 64 * 1024

bp = Blueprint("query", __name__)


@bp.post("/query", provide_automatic_options=False)
def query() -> Response:
    service: Service = current_app.extensions["postgate"]
    access = service.authenticate(tokens.token_hash(request.headers.get("Authorization")))
    statement = body.read(_body(service.config.max_body_bytes))
    rows = service.run(access, statement)
    return Response(objects.envelope(rows.chunks, rows.count), headers=HEADERS, mimetype="application/json")


def _body(limit: int) -> bytes:
    """The whole body, however it is transferred."""
    if (request.content_length or 0) > limit:
        _discard_body(limit)
        raise BodyTooLarge(limit)
    data = request.stream.read(limit + 1)
    if len(data) > limit:
        _discard_body(limit)
        raise BodyTooLarge(limit)
    return data


def _discard_body(limit: int) -> None:
    """Most clients read the answer only after they have sent all; one that asks first (RFC 9110, 10.1.1) need not."""
    if "Expect" in request.headers:
        return
    left = MOST_DISCARDED * limit
    while left > 0 and (chunk := request.stream.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
