"""The bytes of a connection become requests: the head by gunicorn's C parser, the body kept whole or counted away."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

import gunicorn_h1c  # type: ignore[import-untyped]

from postgate.errors import RequestRefused

# All of a head together; each line of it has a limit of its own.
MAX_HEAD_BYTES = 64 * 1024
# A body over the limit is read to its end up to so many times the limit, because most clients read the answer only
# after they have sent all.
MAX_DISCARDED = 4
# No body has more digits in its length, and int() takes long for millions of them.
MAX_LENGTH_DIGITS = 18

# RFC 9110, 5.6.2, 5.6.4 and 5.5: what names, quoted strings and values are made of.
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EXTENSION = rb"[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?" % (_TOKEN, _TOKEN, _QUOTED)
# A length of more digits than this is no length of anything.
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:%b)*" % _EXTENSION)
_TRAILER = re.compile(rb"(%b):[\t -~\x80-\xff]*" % _TOKEN)
# RFC 9110, 6.5.1: these tell where the request goes, who sends it, or where it ends.
_NO_TRAILERS = {b"host", b"content-length", b"transfer-encoding", b"trailer", b"authorization", b"te"}


class Limits(NamedTuple):
    """What a request may have; gunicorn's settings of these names tell the first three."""

    line_bytes: int = 8190
    fields: int = 100
    field_bytes: int = 8190
    # More of a body is not kept: the application sees by its length that it is too large.
    body_bytes: int = 10 * 1024 * 1024


class Request:
    """A whole request: the WSGI environment, and what becomes of the connection afterwards."""

    def __init__(self, environ: dict[str, Any], keep_alive: bool) -> None:
        self.environ = environ
        self.keep_alive = keep_alive
        # How much of its body is kept.
        self.body_bytes = 0
        # When it began to run, by the monotonic clock.
        self.began = 0.0

    # gunicorn's hooks and its access log ask for these.

    @property
    def method(self) -> str:
        return str(self.environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        return str(self.environ["PATH_INFO"])

    @property
    def query(self) -> str:
        return str(self.environ["QUERY_STRING"])

    @property
    def uri(self) -> str:
        return str(self.environ["RAW_URI"])

    @property
    def version(self) -> tuple[int, int]:
        return (1, 1) if self.environ["SERVER_PROTOCOL"] == "HTTP/1.1" else (1, 0)

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """The header fields, names in capitals."""
        fields = [(name[5:], value) for name, value in self.environ.items() if name.startswith("HTTP_")]
        fields += [(name, self.environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in self.environ]
        return [(name.replace("_", "-"), value) for name, value in fields]


class Reader:
    """Reads the requests of one connection, one after the other."""

    def __init__(self, base: Mapping[str, Any], server: Any, client: Any, limits: Limits) -> None:
        """
        Args:
            base: what the environment of every request has.
            server, client: the addresses of the two ends, as the socket module gives them.
        """
        self._base = base
        # An address of a Unix socket is a path, or nothing.
        self._server = server if isinstance(server, tuple) else ("localhost", 80)
        self.client = client if isinstance(client, tuple) else ("", 0)
        self._limits = limits
        self._buffer = b""
        self._pipelined = False
        # The head has come, and the body is coming.
        self._open: tuple[Request, _Body] | None = None
        # The client waits for "100 Continue" before it sends the body; whoever answers that sets it to False.
        self.expects_continue = False

    @property
    def begun(self) -> bool:
        """Part of a request is here."""
        return bool(self._buffer) or self._open is not None

    @property
    def has_next(self) -> bool:
        """Something came together with the last request, and feed(b"") has not yet looked at it."""
        return self._pipelined

    @property
    def in_body(self) -> bool:
        """The head is here, and part of the body is missing."""
        return self._open is not None

    @property
    def body_bytes(self) -> int:
        """How much of an unfinished body is kept."""
        return self._open[1].size if self._open else 0

    def forget(self) -> None:
        """Let go of what has come of a request."""
        self._buffer, self._pipelined = b"", False
        self._open, self.expects_continue = None, False

    def feed(self, data: bytes) -> Request | None:
        """Take what has come; b"" goes on with what came together with the last request.

        Returns:
            a request, as soon as all of it is here.

        Raises:
            RequestRefused: this is no request, or none that we take; nothing after it can be told apart from it.
        """
        if self._open is None:
            data = self._buffer + data if self._buffer else data
            self._buffer, self._pipelined = b"", False
            head, data = self._read_head(data)
            if head is None:
                self._buffer = data
                return None
            request, length = head
            if length is not None and length <= self._limits.body_bytes and length <= len(data):
                # Most bodies come together with their heads.
                return self._whole(request, io.BytesIO(data[:length]), length, data[length:])
            body: _Body = _Chunked(self._limits) if length is None else _Sized(length, self._limits.body_bytes)
            self._open = request, body
        request, body = self._open
        if not body.take(data):
            return None
        request.keep_alive = request.keep_alive and not body.cut
        return self._whole(request, body.stream(), body.size, body.rest)

    def _whole(self, request: Request, body: io.BytesIO, size: int, rest: bytes) -> Request:
        """Finish a request with its body, of which so many bytes are kept, and keep what has come after it."""
        request.environ["wsgi.input"] = body
        request.body_bytes = size
        self._buffer, self._pipelined = rest, bool(rest)
        self._open, self.expects_continue = None, False
        return request

    def _read_head(self, data: bytes) -> tuple[tuple[Request, int | None] | None, bytes]:
        """Make a request of its head, if all of it is here, with the length of its body, which is None for one in
        chunks; and what follows the head."""
        # One empty line may come before a request (RFC 9112, 2.2).
        start = 2 if data.startswith(b"\r\n") else 0
        end = data.find(b"\r\n\r\n", start) + 4
        if end < 4 or end > MAX_HEAD_BYTES:
            if len(data) > MAX_HEAD_BYTES:
                raise RequestRefused(431, "the header of the request is too long")
            return None, data
        environ = self._parse(data)
        # The parser is more lenient with blanks and empty lines than those that may stand before us.
        words = data[start : data.find(b"\r\n", start)].split(b" ")
        if environ.pop("_consumed") != end or len(words) != 3:
            raise RequestRefused(400, "the header of the request cannot be read")
        if sum(map(len, words)) + 2 > self._limits.line_bytes:
            raise RequestRefused(414, f"the request line has more than {self._limits.line_bytes} bytes")
        _read_target(environ, words[1].decode("latin-1"))
        environ.update(self._base)
        request = Request(environ, _keeps_alive(environ))
        expects = _expects_continue(environ)
        length = _length(environ)
        if expects and length is not None and length > self._limits.body_bytes:
            # The client has asked before it sends what is too large: it gets its answer now.
            request.keep_alive = False
            return (request, 0), b""
        self.expects_continue = expects and len(data) == end
        return (request, length), data[end:]

    def _parse(self, data: bytes) -> dict[str, Any]:
        line_bytes, fields, field_bytes, _ = self._limits
        try:
            environ: dict[str, Any] = gunicorn_h1c.parse_to_wsgi_environ(
                data, self._server, self.client, "http", line_bytes, fields, field_bytes
            )
        except gunicorn_h1c.LimitRequestLine:
            raise RequestRefused(414, f"the request line has more than {line_bytes} bytes") from None
        except gunicorn_h1c.LimitRequestHeaders:
            reason = f"a request has at most {fields} header fields of {field_bytes} bytes"
            raise RequestRefused(431, reason) from None
        except (gunicorn_h1c.ParseError, gunicorn_h1c.IncompleteError) as error:
            raise RequestRefused(400, f"the header of the request cannot be read: {error}") from None
        return environ


class _Body:
    """A body as it comes in: what is over the limit is not kept but counted."""

    def __init__(self, limit: int, room: int) -> None:
        """
        Args:
            room: the most bytes to keep.
        """
        self._kept = io.BytesIO()
        self._room = room
        self._most = (1 + MAX_DISCARDED) * limit
        # What came after the body.
        self.rest = b""
        # It is longer than we read: nothing that follows is a request.
        self.cut = False

    @property
    def size(self) -> int:
        return self._kept.tell()

    def take(self, data: bytes) -> bool:
        """Take what has come, and tell whether the body is complete."""
        raise NotImplementedError

    def stream(self) -> io.BytesIO:
        self._kept.seek(0)
        return self._kept

    def _keep(self, data: bytes) -> None:
        if self._room > 0:
            self._kept.write(data if len(data) <= self._room else data[: self._room])
            self._room -= len(data)
        self._most -= len(data)
        self.cut = self._most < 0


class _Sized(_Body):
    """A body whose length the head tells."""

    def __init__(self, length: int, limit: int) -> None:
        # The application refuses it by its length.
        super().__init__(limit, length if length <= limit else 0)
        self._left = length

    def take(self, data: bytes) -> bool:
        if len(data) > self._left:
            self.rest = data[self._left :]
            data = data[: self._left]
        self._left -= len(data)
        self._keep(data)
        return not self._left or self.cut


class _Chunked(_Body):
    """A body in chunks (RFC 9112, 7.1). The trailer fields behind them are looked at, but nobody is told."""

    def __init__(self, limits: Limits) -> None:
        # The application counts, and one byte more is too many.
        super().__init__(limits.body_bytes, limits.body_bytes + 1)
        self._limits = limits
        # The beginning of a line whose end has not come.
        self._line = b""
        # What is missing of the chunk, with the end of line behind it.
        self._left = 0
        self._trailers: list[bytes] | None = None

    def take(self, data: bytes) -> bool:
        data = self._line + data
        self._line = b""
        at = 0
        while not self.cut:
            if self._left:
                at += self._take_chunk(data[at : at + self._left])
                if self._left:
                    break
            end = data.find(b"\r\n", at)
            if end < 0:
                self._line = data[at:]
                if len(self._line) > self._limits.field_bytes or b"\n" in self._line:
                    raise _broken_chunks("a line does not end")
                break
            line, at = data[at:end], end + 2
            if self._trailers is None:
                self._begin_chunk(line)
            elif line:
                self._check_trailer(self._trailers, line)
            else:
                self.rest = data[at:]
                return True
        return self.cut

    def _take_chunk(self, data: bytes) -> int:
        """Keep what has come of a chunk; its last two bytes end the line."""
        text = data[: max(0, self._left - 2)]
        self._keep(text)
        end = data[len(text) :]
        self._left -= len(data)
        if end != b"\r\n"[2 - self._left - len(end) : 2 - self._left]:
            raise _broken_chunks("a chunk has another length than it says")
        return len(data)

    def _begin_chunk(self, line: bytes) -> None:
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise _broken_chunks("a chunk does not begin with its length")
        length = int(size[1], 16)
        if length:
            self._left = length + 2
        else:
            self._trailers = []

    def _check_trailer(self, seen: list[bytes], line: bytes) -> None:
        trailer = _TRAILER.fullmatch(line)
        if trailer is None or trailer[1].lower() in _NO_TRAILERS:
            raise _broken_chunks("a field behind the chunks is malformed, or must stand before them")
        seen.append(line)
        if len(seen) > self._limits.fields or len(line) > self._limits.field_bytes:
            raise _broken_chunks("there are too many fields behind the chunks")


def _broken_chunks(reason: str) -> RequestRefused:
    return RequestRefused(400, f"the body does not follow its Transfer-Encoding: {reason}")


def _read_target(environ: dict[str, Any], target: str) -> None:
    """Keep the target of a request as it came, and decode its path, as WSGI has it (PEP 3333)."""
    environ["RAW_URI"] = target
    # RFC 9112, 3.2, and RFC 3986, 2: it is printable ASCII.
    if not (target.isascii() and target.isprintable()):
        raise RequestRefused(400, "the path has characters that must be percent-encoded")
    path = environ["PATH_INFO"]
    if not path.startswith("/") and "://" in path:
        # What a proxy is sent (RFC 9112, 3.2.2); every server takes it.
        path = environ["PATH_INFO"] = urlsplit(path).path or "/"
    if "%" in path:
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")


def _keeps_alive(environ: Mapping[str, Any]) -> bool:
    """Whether another request may follow (RFC 9112, 9.3)."""
    if environ["REQUEST_METHOD"] == "CONNECT":
        # What follows belongs to the tunnel that the client wanted.
        return False
    options = environ.get("HTTP_CONNECTION")
    if options is None:
        return bool(environ["SERVER_PROTOCOL"] == "HTTP/1.1")
    names = {option.strip(" \t") for option in options.lower().split(",")}
    return "close" not in names and (environ["SERVER_PROTOCOL"] == "HTTP/1.1" or "keep-alive" in names)


def _length(environ: Mapping[str, Any]) -> int | None:
    """The length of the body, None for one in chunks (RFC 9112, 6.3)."""
    coding, length = environ.get("HTTP_TRANSFER_ENCODING"), environ.get("CONTENT_LENGTH")
    if coding is not None:
        if length is not None or environ["SERVER_PROTOCOL"] != "HTTP/1.1":
            # Two ways to tell where the body ends: a proxy before us may have chosen the other one.
            raise RequestRefused(400, "Transfer-Encoding may not stand beside Content-Length, nor in HTTP/1.0")
        if coding.lower() != "chunked":
            raise RequestRefused(400, "the only Transfer-Encoding is chunked")
        return None
    if length is None:
        return 0
    if not (length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS):
        raise RequestRefused(400, "Content-Length must be one number")
    return int(length)


def _expects_continue(environ: Mapping[str, Any]) -> bool:
    """Whether the client waits for our word before it sends the body (RFC 9110, 10.1.1)."""
    expectation = environ.get("HTTP_EXPECT")
    if expectation is None:
        return False
    if expectation.lower() != "100-continue":
        raise RequestRefused(417, "the only expectation is 100-continue")
    return bool(environ["SERVER_PROTOCOL"] == "HTTP/1.1")
