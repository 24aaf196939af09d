"""POST /query: one statement of a tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import HTTPException

from postgate.api import body
from postgate.api.answers import HEADERS
from postgate.errors import BodyTooLarge, RequestRefused, Unauthorized
from postgate.results.objects import Objects
from postgate.results.rows import LARGE
from postgate.service import Service

# A body that is too large is read to its end up to so many times the limit; then the connection is cut.
MAX_DISCARDED = 4
CHUNK_BYTES = 64 * 1024

_AUTHORIZATION = re.compile(r"(?:(?i:bearer) +)?(pg_[0-9a-f]{64})")

bp = Blueprint("query", __name__)


@bp.post("/query", provide_automatic_options=False)
def query() -> Response:
    service: Service = current_app.extensions["postgate"]
    answer = Objects()
    token_hash = _token_hash(request.headers.get("Authorization"))
    pieces = service.run(token_hash, lambda: body.read(_body(service.config.max_body_bytes)), answer)
    return _answer(pieces, answer.media_type)


def _answer(pieces: list[bytes], media_type: str) -> Response:
    """The answer to a request that went well; it takes the pieces, and lets large ones go as they are sent."""
    size = sum(map(len, pieces))
    if size <= LARGE:
        return Response(b"".join(pieces), headers=HEADERS, mimetype=media_type)
    return Response(_sent(pieces), headers={**HEADERS, "Content-Length": str(size)}, mimetype=media_type)


def _sent(pieces: list[bytes]) -> Iterator[bytes]:
    pieces.reverse()
    while pieces:
        # Small ones together: each is a write of its own.
        block = [pieces.pop()]
        size = len(block[0])
        while pieces and size + len(pieces[-1]) <= LARGE:
            block.append(pieces.pop())
            size += len(block[-1])
        yield b"".join(block)


def _token_hash(header: str | None) -> str:
    """The SHA-256 of the token in an Authorization header, in hexadecimal: only this goes any further.

    Raises:
        Unauthorized: there is no header, or what it has is no token.
    """
    if not header:
        raise Unauthorized("Unauthorized: the header Authorization: Bearer <token> is missing")
    token = _AUTHORIZATION.fullmatch(header.strip(" \t"))
    if token is None:
        raise Unauthorized()
    return sha256(token[1].encode()).hexdigest()


def _body(limit: int) -> bytes:
    """The whole body, however it is transferred."""
    if (request.content_length or 0) > limit:
        _discard_body(limit)
        raise BodyTooLarge(limit)
    data = _read(limit + 1)
    if len(data) > limit:
        _discard_body(limit)
        raise BodyTooLarge(limit)
    return data


def _discard_body(limit: int) -> None:
    """Most clients read the answer only after they have sent all; one that asks first (RFC 9110, 10.1.1) need not."""
    if "Expect" in request.headers:
        return
    left = MAX_DISCARDED * limit
    while left > 0 and (chunk := _read(min(left, CHUNK_BYTES))):
        left -= len(chunk)


def _read(size: int) -> bytes:
    try:
        return request.stream.read(size)
    except HTTPException:
        raise
    except Exception as error:
        # Chunks that are none: each WSGI server has classes of its own for what a client sends wrong.
        raise RequestRefused(400, "the body does not follow its Transfer-Encoding, or ends too early") from error
