"""Our HTTP server in this process, and clients that send bytes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from postgate.http.loop import Loop


class Server:
    """A loop in a thread of its own."""

    def __init__(self, application: Any, **settings: Any) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._wanted = True
        self._loop = Loop(application, [listener], **settings)
        self._thread = threading.Thread(target=self._loop.run, args=[lambda: self._wanted, 30.0])
        self._thread.start()

    @property
    def connections(self) -> int:
        return self._loop.connections

    def stop(self) -> None:
        """Begin to stop, as a worker does that is told to."""
        self._wanted = False
        self._loop.wake()

    def close(self) -> None:
        self.stop()
        self._thread.join(35)
        assert not self._thread.is_alive()
        self._listener.close()


@contextmanager
def serving(application: Any, **settings: Any) -> Iterator[Server]:
    server = Server(application, **settings)
    try:
        yield server
    finally:
        server.close()


def connect(port: int, timeout: float = 10) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout)


@contextmanager
def connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect(port)) for _ in range(count)]


def to_the_end(client: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    received = b""
    while data := client.recv(1 << 16):
        received += data
    return received


def exchange(port: int, data: bytes) -> bytes:
    """What a server says to these bytes, on a connection of their own."""
    with connect(port) as client:
        client.sendall(data)
        return to_the_end(client)
