"""What an application answers becomes the bytes of an HTTP/1.1 response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from time import time
from typing import Any

from postgate.http.requests import Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Larger pieces are sent on their own, so that they are not copied behind the head.
JOINED_BYTES = 64 * 1024


class Response:
    """One response: the application calls `start_response` (PEP 3333), `blocks` gives what goes to the client."""

    def __init__(self, request: Request) -> None:
        # Whether the connection goes on after it.
        self.keep_alive = False
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        # Bytes of the body that were given to the client, for gunicorn's access log.
        self.sent = 0
        # From here on an error can no longer be told.
        self.begun = False
        self.request = request
        self._early: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        try:
            if exc_info and self.begun:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            exc_info = None
        self.status = status
        self.headers = headers
        return self._early.append

    def blocks(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes to send, head and body, as they are due.

        Args:
            pieces: what the application returned; it is closed in the end.

        Raises:
            ValueError: the application has set a header that would be read as two.
        """
        if type(pieces) is list and len(pieces) == 1 and not self._early:
            # Most answers: there is nothing to close, and nothing to wait for.
            (only,) = pieces
            if self._length() == len(only) <= JOINED_BYTES and not self._is_bodiless():
                head = self._head(chunked=False)
                self.begun = True
                self.sent = len(only)
                return iter((head + only,))
        return self._blocks(pieces)

    def _blocks(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from self._due(self._written(pieces) if self._early else pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _written(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        yield from self._early
        yield from pieces

    def _due(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        waiting = iter(pieces)
        # The application may call start_response only when it is asked for its first piece.
        first = next(waiting, b"")
        length = self._length()
        bodiless = self._is_bodiless()
        chunked = length is None and not bodiless and self.request.environ["SERVER_PROTOCOL"] == "HTTP/1.1"
        if length is None and not bodiless and not chunked:
            # Only its end tells the client of HTTP/1.0 where the body ends.
            self.keep_alive = False
        head = self._head(chunked)
        self.begun = True
        if bodiless:
            yield head
            return
        if not chunked and len(first) <= JOINED_BYTES and (length is None or len(first) <= length):
            self.sent += len(first)
            yield head + first
        else:
            yield head
            yield from self._framed(first, chunked, length)
        for piece in waiting:
            yield from self._framed(piece, chunked, length)
        if chunked:
            yield b"0\r\n\r\n"
        elif length is not None and self.sent != length:
            # The client waits for the rest, and only the end of the connection tells that there is none.
            self.keep_alive = False

    def _framed(self, piece: bytes, chunked: bool, length: int | None) -> Iterator[bytes]:
        if length is not None and self.sent + len(piece) > length:
            # What is more than was announced would be read as the next response.
            self.keep_alive = False
            piece = piece[: length - self.sent]
        if not piece:
            return
        self.sent += len(piece)
        if chunked:
            yield b"%x\r\n" % len(piece)
            yield piece
            yield b"\r\n"
        else:
            yield piece

    def _is_bodiless(self) -> bool:
        return self.request.environ["REQUEST_METHOD"] == "HEAD" or self.status[:3] in ("204", "304")

    def _length(self) -> int | None:
        for name, value in self.headers:
            if name.lower() == "content-length":
                return int(value)
        return None

    def _head(self, chunked: bool) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status}\r\nServer: postgate\r\nDate: {_date()}",
            "Connection: keep-alive" if self.keep_alive else "Connection: close",
            *map(": ".join, self.headers),
        ]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        head = "\r\n".join(lines) + "\r\n\r\n"
        ends = len(self.headers) + 5 + chunked
        if not self.status or head.count("\n") != ends or head.count("\r") != ends:
            raise ValueError("the application has set no status, or a header with the end of a line in it")
        return head.encode("latin-1")


# The Date header of the last response, and the second that it is of: the name of one process, so it is never stale.
_dated: tuple[int, str] = (0, "")


def _date() -> str:
    global _dated
    now = int(time())
    if _dated[0] != now:
        _dated = now, formatdate(now, usegmt=True)
    return _dated[1]
