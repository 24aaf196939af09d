"""The metrics in the processes of a service: workers count, and the master tells all of it on a port of its own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from threading import Lock, Thread
from wsgiref.simple_server import WSGIServer

import psycopg
from prometheus_client import CollectorRegistry, start_http_server

from postgate.config import Config
from postgate.observe import events, telling
from postgate.observe.metrics import Board, Gauges, Sender, Tally
from postgate.server.listening import address

# Seconds: for how long an answer on whether the database is up is good, and how long it is waited for.
UP_AGE_S, UP_TIMEOUT_S = 1.0, 2
# Between two attempts to listen where the predecessor of this master still does.
RETRY_S = 1.0


class Metrics:
    """The metrics of one service; made in its master, before the workers are."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._writer.setblocking(False)
        self._tally = self._new_tally()
        self._server: WSGIServer | None = None
        self._is_started = False
        self._sender: Sender | None = None

    def serve(self) -> None:
        """In the master: tell the metrics to whoever asks on the port; called again it does nothing."""
        if self._is_started:
            return
        self._is_started = True
        events.listen(self._tally.heard)
        board = Board(self._tally, Answers(self._config), version("postgate"))
        Thread(target=board.receive, args=[self._reader], name="postgate-metrics", daemon=True).start()
        registry = CollectorRegistry()
        registry.register(board)
        if not self._listen(registry):
            Thread(target=self._listen_later, args=[registry], name="postgate-metrics-port", daemon=True).start()

    def leave(self) -> None:
        """In a worker that was just forked: what is the master's alone is not its own."""
        events.unlisten(self._tally.heard)
        self._reader.close()
        if self._server is not None:
            self._server.socket.close()

    def count(self, gauges: Callable[[], Gauges]) -> None:
        """In a worker: count from now on, and send it to the master."""
        tally = self._new_tally()
        events.listen(tally.heard)
        telling.listen(tally.answered)
        self._sender = Sender(tally, self._writer, gauges)
        self._sender.start()

    def end(self) -> None:
        """In a worker that ends: send what is left."""
        if self._sender is not None:
            self._sender.send(ends=True)

    def _new_tally(self) -> Tally:
        return Tally(self._config.slow_ms / 1000, self._config.metrics_by_database)

    def _listen(self, registry: CollectorRegistry) -> bool:
        host, port = self._config.metrics_host, self._config.metrics_port
        try:
            self._server, _ = start_http_server(port or 0, host, registry)
        except OSError:
            return False
        return True

    def _listen_later(self, registry: CollectorRegistry) -> None:
        """Another master has the port: the one whose place this one takes, until its last request is answered."""
        where = address(self._config.metrics_host, self._config.metrics_port or 0)
        events.happened(events.StartWaits(f"something else listens on {where}: the metrics wait for it"))
        while not self._listen(registry):
            time.sleep(RETRY_S)


class Answers:
    """Whether the database answers, asked at most once in a while whoever wants to know."""

    def __init__(self, config: Config) -> None:
        self._conninfo = config.conninfo
        self._lock = Lock()
        self._asked_at = -UP_AGE_S
        self._is_up = False

    def __call__(self) -> bool:
        with self._lock:
            if time.monotonic() - self._asked_at > UP_AGE_S:
                self._is_up = self._ask()
                self._asked_at = time.monotonic()
            return self._is_up

    def _ask(self) -> bool:
        # Where gunicorn has our settings as a module, the master finds the embedded database after they were read.
        conninfo = self._conninfo or os.environ.get("DATABASE_URL", "")
        try:
            with psycopg.connect(
                conninfo, connect_timeout=UP_TIMEOUT_S, application_name="postgate metrics", prepare_threshold=None
            ) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True
