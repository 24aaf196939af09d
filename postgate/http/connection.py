"""One client's connection, which belongs to the loop or, while `running`, to the thread that has its request."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from postgate.errors import PostgateError
from postgate.http.requests import Reader, Request
from postgate.http.responses import Response


class Stage(Enum):
    """What the loop waits for on a connection."""

    REQUEST = auto()
    # The rest of what has begun.
    HEAD = auto()
    BODY = auto()
    # The answer, which a thread makes, and then the client, which takes it.
    ANSWER = auto()
    # The client's end of a connection that we have ended.
    END = auto()


class Connection:
    """The state of a connection."""

    __slots__ = (
        "deadline",
        "ended",
        "left",
        "outgoing",
        "owner",
        "reader",
        "refusal",
        "request",
        "response",
        "running",
        "since",
        "socket",
        "stage",
        "unread",
        "unsent",
    )

    def __init__(self, client: socket.socket, reader: Reader, deadline: float) -> None:
        self.socket = client
        self.reader = reader
        self.stage = Stage.REQUEST
        # When the loop has waited enough, by the monotonic clock.
        self.deadline = deadline
        self.running = False
        # When its request began to run, or to wait for a thread; before and after that, when something was last sent of
        # the body or of the answer.
        self.since = 0.0
        # There may be something to read on the socket.
        self.unread = False
        # The client has closed its end.
        self.left = False
        # No further request is taken.
        self.ended = False
        self.request: Request | None = None
        # Whose slot its request takes.
        self.owner: Any = None
        # What its request is answered in place of the application's answer.
        self.refusal: PostgateError | None = None
        self.response: Response | None = None
        # What is still to be sent: the rest of a block, and the blocks after it.
        self.unsent: memoryview | None = None
        self.outgoing: Iterator[bytes] | None = None

    def send(self, block: bytes) -> bool:
        """Send a block, as far as the client takes it; whether nothing is left of it.

        Raises:
            OSError: the connection is broken.
        """
        self.send_rest(block)
        return self.unsent is None

    def send_rest(self, unsent: bytes | memoryview) -> int:
        """Send a block, or the rest of one; how many bytes went. `unsent` is None when nothing is left.

        Raises:
            OSError: the connection is broken.
        """
        try:
            sent = self.socket.send(unsent)
        except BlockingIOError:
            sent = 0
        self.unsent = memoryview(unsent)[sent:] if sent < len(unsent) else None
        return sent
