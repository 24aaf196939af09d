"""A network between the service and PostgreSQL that can be cut."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Network(Enum):
    FORWARDS = auto()
    # What comes is taken, and nobody hears of it.
    BLACK_HOLE = auto()
    # Connections are ended as they come.
    RESETS = auto()
    # Of what the server says half is handed on, and then the connection ends.
    HALVES = auto()


class Proxy:
    """Listens on a port of its own, and hands on to a server what it gets, as long as it is told to.

    Attributes:
        accepted: how many connections have come.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.network = Network.FORWARDS
        self.accepted = 0
        self._sockets: list[socket.socket] = []
        self._ends = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def conninfo(self) -> str:
        """The server's, by way of the proxy."""
        return make_conninfo(self._conninfo, host="127.0.0.1", hostaddr="127.0.0.1", port=self.port)

    def cut(self) -> None:
        """End every connection, so that both ends notice."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._ends.set()
        self._listener.close()
        self.cut()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                self._sockets.append(client)
                if self.network is Network.RESETS:
                    client.close()
                elif self.network is not Network.BLACK_HOLE:
                    threading.Thread(target=self._forward, args=[client], daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        self._sockets.append(server)
        others = {client: server, server: client}
        with suppress(OSError, ValueError):
            while not self._ends.is_set():
                if self.network in (Network.BLACK_HOLE, Network.RESETS):
                    # The kernels' buffers take what still comes.
                    self._ends.wait(0.02)
                    continue
                for one in select.select(list(others), [], [], 0.02)[0]:
                    data = one.recv(65536)
                    if not data:
                        raise ConnectionError
                    if self.network is Network.HALVES and one is server:
                        client.sendall(data[: len(data) // 2])
                        raise ConnectionError
                    others[one].sendall(data)
        for one in others:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> socket.socket:
        parts = conninfo_to_dict(self._conninfo)
        host, port = str(parts.get("host", "localhost")), int(parts.get("port", 5432))
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server


@contextmanager
def a_proxy(conninfo: str) -> Iterator[Proxy]:
    proxy = Proxy(conninfo)
    try:
        yield proxy
    finally:
        proxy.close()
