"""Requests over HTTP/1.1 from a fixed number of connections, each of which sends the next when it has its answer."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from statistics import mean, median
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

READ_BYTES = 1 << 18
# A server that says nothing for so long has failed.
SILENCE_S = 30.0
# Of several that are loaded in turn.
SLICE_S = 0.4
WARM_S = 1.5
# What a server does for its last answers when they are sent is done by then.
AFTER_S = 0.1


class Target(NamedTuple):
    """Where requests go, and whose processor time is counted for them."""

    url: str
    token: str
    # The roots of the process trees; None where a service runs elsewhere.
    server: int | None
    postgres: int | None


class Measured(NamedTuple):
    """What a load has cost. CPU time is user and system, of all processes of the tree."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    server_us: float | None
    postgres_us: float | None

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us(self) -> float:
        """What the server and PostgreSQL took together, as far as it is known."""
        return (self.server_us or 0) + (self.postgres_us or 0)


class Failed(Exception):
    """The server has answered something else than 200; the text begins with what it said."""


def request(target: Target, body: bytes | None) -> bytes:
    """The bytes of POST with this body, or of GET."""
    url = urlsplit(target.url)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {url.netloc}"]
    if target.token:
        lines.append(f"Authorization: Bearer {target.token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")


def run(
    target: Target,
    bodies: Iterator[bytes | None],
    connections: int,
    seconds: float,
    progress: Callable[[float], None] = lambda _: None,
) -> Measured:
    """Load a target for some seconds, after a third of that to warm up.

    Args:
        bodies: of the requests, None for a GET.
        progress: is told now and then which share of the time is over.

    Raises:
        Failed: a request had another answer than 200.
        OSError: the server cannot be reached, or does not answer.
    """
    with ExitStack() as stack:
        clients = _Clients(target, bodies, connections, stack)
        begin = time.perf_counter()

        def tell(now: float) -> None:
            progress((now - begin) / (seconds * 4 / 3))

        clients.run(begin + seconds / 3, tell)
        return clients.measure(seconds, tell)


def run_in_turn(
    targets: Sequence[Target],
    bodies: Iterator[bytes | None],
    connections: int,
    rounds: int,
    progress: Callable[[float], None] = lambda _: None,
) -> list[list[Measured]]:
    """Load several targets, each for SLICE_S in each of the rounds: what changes on the machine meanwhile, does so for
    all of them.

    Returns:
        What each round has cost, for each target.

    Raises:
        Failed, OSError: as of `run`.
    """
    measured: list[list[Measured]] = [[] for _ in targets]
    with ExitStack() as stack:
        sides = [
            (_Clients(target, bodies, connections, stack), costs)
            for target, costs in zip(targets, measured, strict=True)
        ]
        for clients, _ in sides:
            clients.run(time.perf_counter() + WARM_S)
        for number in range(rounds):
            for clients, costs in sides:
                costs.append(clients.measure(SLICE_S))
            # Whoever comes after another finds the caches as that one has left them.
            sides.reverse()
            progress((number + 1) / rounds)
    return measured


def together(measured: Sequence[Measured]) -> Measured:
    """Several measurements of one target as one."""
    server = [one.server_us for one in measured if one.server_us is not None]
    postgres = [one.postgres_us for one in measured if one.postgres_us is not None]
    return Measured(
        sum(one.requests for one in measured),
        sum(one.seconds for one in measured),
        median(one.p50_ms for one in measured),
        median(one.p99_ms for one in measured),
        mean(server) if server else None,
        mean(postgres) if postgres else None,
    )


def cpu_s(root: int | None) -> float:
    """The processor time of a process, its living descendants, and those that it has waited for."""
    if root is None:
        return 0.0
    seconds = 0.0
    for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


class _Clients:
    def __init__(self, target: Target, bodies: Iterator[bytes | None], connections: int, stack: ExitStack) -> None:
        self.latencies: list[float] = []
        self._target = target
        self._bodies = bodies
        self._poll = stack.enter_context(select.epoll())
        self._clients: dict[int, _Client] = {}
        url = urlsplit(target.url)
        for _ in range(connections):
            connection = stack.enter_context(socket.create_connection((url.hostname or "", url.port or 80), SILENCE_S))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._clients[connection.fileno()] = _Client(connection)
            self._poll.register(connection, select.EPOLLIN)

    def measure(self, seconds: float, progress: Callable[[float], None] = lambda _: None) -> Measured:
        """Load the target for some seconds; what that has cost."""
        target = self._target
        self.latencies.clear()
        before = cpu_s(target.server), cpu_s(target.postgres)
        started = time.perf_counter()
        self.run(started + seconds, progress)
        took = time.perf_counter() - started
        time.sleep(AFTER_S)
        after = cpu_s(target.server), cpu_s(target.postgres)
        latencies = sorted(self.latencies)
        if not latencies:
            raise Failed(f"no answer in {seconds} seconds")
        costs = [(end - start) / len(latencies) * 1e6 for start, end in zip(before, after, strict=True)]
        return Measured(
            len(latencies),
            took,
            latencies[len(latencies) // 2] * 1000,
            latencies[len(latencies) * 99 // 100] * 1000,
            costs[0] if target.server else None,
            costs[1] if target.postgres else None,
        )

    def run(self, until: float, progress: Callable[[float], None] = lambda _: None) -> None:
        """Send from every connection until then, and wait for the last answers."""
        for client in self._clients.values():
            client.send(request(self._target, next(self._bodies)))
        busy = len(self._clients)
        told = 0.0
        while busy:
            events = self._poll.poll(SILENCE_S)
            if not events:
                raise TimeoutError("the server does not answer")
            for descriptor, _ in events:
                client = self._clients[descriptor]
                if not client.receive():
                    continue
                now = time.perf_counter()
                self.latencies.append(now - client.sent)
                if now < until:
                    client.send(request(self._target, next(self._bodies)))
                else:
                    busy -= 1
                if now - told > 0.1:
                    told = now
                    progress(now)


class _Client:
    """One connection: a request, and as much of its answer as has come."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # What has come of the head; and when it is complete, what is missing of the body, None for one in chunks.
        self._head = b""
        self._in_body = False
        self._left: int | None = 0
        self._end = b""
        self.sent = 0.0

    def send(self, data: bytes) -> None:
        self._head, self._in_body, self._end = b"", False, b""
        self.sent = time.perf_counter()
        self._connection.sendall(data)

    def receive(self) -> bool:
        """Take what has come; whether the answer is complete."""
        data = self._connection.recv(READ_BYTES)
        if not data:
            raise Failed("the connection was closed in place of an answer")
        if not self._in_body:
            head, end, data = (self._head + data).partition(b"\r\n\r\n")
            if not end:
                self._head = head
                return False
            if head[9:12] not in (b"200", b"201", b"204"):
                raise Failed((head + end + data)[:500].decode("latin-1"))
            self._in_body, self._left = True, _length(head)
        if self._left is None:
            # The last chunk has no bytes.
            self._end = (self._end + data)[-7:]
            return self._end.endswith(b"\r\n0\r\n\r\n")
        self._left -= len(data)
        return self._left <= 0


def _length(head: bytes) -> int | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None
