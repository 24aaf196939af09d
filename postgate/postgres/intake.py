"""libpq's socket, with a hand on what comes through it."""

from __future__ import annotations

import fcntl
import os
import socket
import termios
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn

# Bytes. A pair of sockets takes more than this at once.
_PIECE = 65_536


def waiting_bytes(descriptor: int) -> int:
    """How many bytes have come in that nobody has read."""
    count = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def read_in_pieces(pgconn: PGconn, wait: Callable[[int], object], count: Callable[[int], object]) -> None:
    """Let libpq read until it has a result, and a piece at a time.

    It reads a message to its end in one call as long as there is something to read, and keeps it twice: a value of
    hundreds of megabytes is in our memory before anybody can say no. So for that long its descriptor is one end of a
    pair of sockets, and what the server sends is put into the other end.

    Args:
        wait: returns when the descriptor is readable, or raises.
        count: takes the size of each piece before libpq gets it, or raises.

    Raises:
        psycopg.OperationalError: the connection has ended.
    """
    descriptor = pgconn.socket
    server = os.dup(descriptor)
    ours, libpqs = socket.socketpair()
    try:
        libpqs.setblocking(False)
        os.dup2(libpqs.fileno(), descriptor, inheritable=False)
        while pgconn.is_busy():
            wait(server)
            piece = b""
            with suppress(ConnectionError):
                piece = os.read(server, _PIECE)
            count(len(piece))
            if piece:
                ours.sendall(piece)
            else:
                ours.shutdown(socket.SHUT_WR)
            pgconn.consume_input()
            while pgconn.is_busy() and waiting_bytes(descriptor):
                pgconn.consume_input()
        while waiting_bytes(descriptor):
            pgconn.consume_input()
    finally:
        os.dup2(server, descriptor, inheritable=False)
        os.close(server)
        ours.close()
        libpqs.close()
