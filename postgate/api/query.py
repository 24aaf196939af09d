"""POST /query: one statement of a tenant, or several in one transaction.

It is a WSGI application of its own: what Flask does around a view (contexts, a session, signals, header objects) would
take almost half of a request's processor time, and nothing here needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from time import monotonic
from typing import IO, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import get_input_stream

from postgate.access.memory import Holding
from postgate.api import answers, body, neon
from postgate.errors import BodyTooLarge, RequestRefused, Unauthorized
from postgate.executor.job import Request
from postgate.http.refusals import HEADERS
from postgate.observe.requests import TOKEN_PREFIX, RequestRecord
from postgate.results.rows import LARGE, UNHELD
from postgate.service import Caller, Service

# A body that is too large is read to its end up to so many times the limit; then the connection is cut.
MAX_DISCARDED = 4
CHUNK_BYTES = 64 * 1024

_KEPT_HASH = "postgate.token_hash"
_PREFIX_LENGTH = 8
_AUTHORIZATION = re.compile(r"(?:(?i:bearer) +)?(pg_[0-9a-f]{64})")


def is_query(environ: Mapping[str, Any]) -> bool:
    """Whether a request is for this endpoint."""
    return bool(environ["PATH_INFO"] == "/query" and environ["REQUEST_METHOD"] == "POST")


class QueryEndpoint:
    """Answers POST /query as PEP 3333 has it, and notes in its record what it answers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any], record: RequestRecord
    ) -> Iterable[bytes]:
        record.look_up_at = monotonic()
        config = self._service.config
        # Before the body is read only a header of its own tells Neon's driver.
        is_neon = neon.CONNECTION_STRING in environ

        def read_request(holding: Holding) -> Request:
            nonlocal is_neon
            record.read_at = monotonic()
            data = _body(environ, config.max_body_bytes)
            record.body_bytes = len(data)
            if len(data) > UNHELD:
                holding.require(body.memory_bytes(data, config.max_steps))
            members = body.load(data)
            is_neon = "sql" not in members and neon.speaks(members)
            if is_neon:
                return neon.request(members, environ, config.max_batch, len(data))
            return body.request(members, config.max_batch, len(data))

        try:
            caller = Caller(token_hash(environ), environ.get("postgate.client"), environ.get("postgate.join"))
            record.token_prefix = environ[TOKEN_PREFIX]
            pieces, holding = self._service.run(caller, read_request, record)
            record.answer_at = monotonic()
        except Exception as error:
            record.answer_at = monotonic()
            status, headers, envelope = answers.refusal(error, is_neon, config.status_by_sqlstate)
            start_response(status, headers + answers.of_record(record, config.server_timing))
            return [envelope]
        record.status = 200
        record.answer_bytes = size = sum(map(len, pieces))
        headers = [("Content-Type", "application/json"), ("Content-Length", str(size)), *HEADERS.items()]
        start_response("200 OK", headers + answers.of_record(record, config.server_timing))
        if size <= UNHELD:
            holding.keep(0)
            return [b"".join(pieces)]
        return _LargeAnswer(pieces, size, holding)


class _LargeAnswer:
    """Blocks of an answer, of which each is let go, with the memory that is held for it, as it is sent."""

    def __init__(self, pieces: list[bytes], size: int, holding: Holding) -> None:
        pieces.reverse()
        self._pieces = pieces
        self._left = size
        self._holding = holding
        holding.keep(size)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # Who asks for the next one has sent the last.
        self._holding.keep(self._left)
        pieces = self._pieces
        if not pieces:
            raise StopIteration
        # Small ones together: each is a write of its own.
        block = [pieces.pop()]
        size = len(block[0])
        while pieces and size + len(pieces[-1]) <= LARGE:
            block.append(pieces.pop())
            size += len(block[-1])
        self._left -= size
        return b"".join(block)

    def close(self) -> None:
        """Whoever sends the answer calls this in the end, also where the client has gone (PEP 3333)."""
        self._pieces.clear()
        self._holding.keep(0)


def token_hash(environ: dict[str, Any]) -> str:
    """The SHA-256 of the token of a request, in hexadecimal: only this goes any further, and the token's beginning, as
    the list of tokens has it. Both are kept in the environment.

    Raises:
        Unauthorized: there is none, or what stands for it is none.
    """
    kept = environ.get(_KEPT_HASH)
    if kept is not None:
        return str(kept)
    header = environ.get("HTTP_AUTHORIZATION") or neon.token(environ)
    if not header:
        raise Unauthorized("Unauthorized: the header Authorization: Bearer <token> is missing")
    token = _AUTHORIZATION.fullmatch(header.strip(" \t"))
    if token is None:
        raise Unauthorized()
    environ[TOKEN_PREFIX] = token[1][:_PREFIX_LENGTH]
    found = environ[_KEPT_HASH] = sha256(token[1].encode()).hexdigest()
    return found


def _body(environ: dict[str, Any], limit: int) -> bytes:
    """The whole body, however it is transferred."""
    # Where the server does not end the stream with the body, werkzeug does.
    stream = environ["wsgi.input"] if environ.get("wsgi.input_terminated") else get_input_stream(environ)
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal():
        raise RequestRefused(400, "Content-Length must be one number")
    if int(length) <= limit:
        data = _read(stream, limit + 1)
        if len(data) <= limit:
            return data
    # Most clients read the answer only after they have sent all; one that asks first (RFC 9110, 10.1.1) need not.
    if "HTTP_EXPECT" not in environ:
        _discard(stream, MAX_DISCARDED * limit)
    raise BodyTooLarge(limit)


def _discard(stream: IO[bytes], most: int) -> None:
    while most > 0 and (chunk := _read(stream, min(most, CHUNK_BYTES))):
        most -= len(chunk)


def _read(stream: IO[bytes], size: int) -> bytes:
    try:
        return stream.read(size)
    except HTTPException:
        raise
    except Exception as error:
        # Chunks that are none: each WSGI server has classes of its own for what a client sends wrong.
        raise RequestRefused(400, "the body does not follow its Transfer-Encoding, or ends too early") from error
