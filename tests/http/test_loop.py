"""The loop over real sockets, with small applications: nobody's slowness costs anybody else a thread."""

import json
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from support.events import heard_events
from support.loops import connect, connections, exchange, serving, to_the_end

from postgate.http import loop
from postgate.http.requests import Limits
from postgate.http.terms import Deadlines, Terms
from postgate.observe.events import NoClientAccepted

Environ = dict[str, Any]
Start = Callable[..., Any]
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
# More than the buffers of two sockets take.
LARGE = 64 * 1024 * 1024
QUICK = Terms(deadlines=Deadlines(0.3, 0.3, 0.3))


def echo(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """What came, as JSON."""
    said = {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "body": environ["wsgi.input"].read()}
    answer = json.dumps(said, default=bytes.decode).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


class Gate:
    """An application whose requests wait until they are let go, and that counts those that run."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.running = threading.Semaphore(0)
        self.finished: list[str] = []

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/free":
            self.running.release()
            assert self.open.wait(20)
        self.finished.append(environ["PATH_INFO"])
        return echo(environ, start_response)


def read_answer(client: socket.socket) -> bytes:
    """One answer with a Content-Length, of which nothing follows."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    pieces = [received]
    left = length - len(body)
    while left > 0:
        pieces.append(client.recv(1 << 16))
        left -= len(pieces[-1])
    assert left == 0
    return b"".join(pieces)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of which a test can see the end."""
    for name, seconds in {"END_S": 0.3, "TICK_S": 0.05, "SLOW_TRANSFER_S": 0.2}.items():
        monkeypatch.setattr(loop, name, seconds)
    monkeypatch.setattr(loop, "LEAST_BYTES_PER_S", 1_000_000)


def test_a_connection_has_one_request_after_the_other() -> None:
    with serving(echo) as server, connect(server.port) as client:
        for number in range(5):
            client.sendall(POST + b"Content-Length: 1\r\n\r\n%d" % number)
            answer = read_answer(client)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"\r\nConnection: keep-alive\r\n" in answer and b"\r\nDate: " in answer
            assert answer.endswith(b'"body": "%d"}' % number)


def test_requests_that_come_at_once_are_answered_in_order() -> None:
    with serving(echo) as server:
        paths = [b"/%d" % number for number in range(50)]
        pipelined = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths)
        answers = exchange(server.port, pipelined + LAST)
        assert [answers.find(b'"path": "%b"' % path) for path in paths] == sorted(
            answers.find(b'"path": "%b"' % path) for path in paths
        )
        assert answers.count(b"HTTP/1.1 200 OK") == 51


@pytest.mark.parametrize("cut", [5, len(GET) - 1])
def test_the_rest_of_a_request_may_come_while_another_one_runs(cut: int) -> None:
    gate = Gate()
    with serving(gate) as server, connect(server.port) as client:
        client.sendall(GET + LAST[:cut])
        assert gate.running.acquire(timeout=10)
        client.sendall(LAST[cut:])
        # The loop has seen it, and could not read it.
        time.sleep(0.2)
        gate.open.set()
        assert to_the_end(client).count(b"HTTP/1.1 200") == 2


def test_a_request_may_come_byte_by_byte() -> None:
    data = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    with serving(echo) as server, connect(server.port) as client:
        for byte in data:
            client.sendall(bytes([byte]))
        assert to_the_end(client).endswith(b'"body": "hello"}')


def test_the_head_alone_and_http_1_0() -> None:
    with serving(echo) as server:
        head = exchange(server.port, LAST.replace(b"GET", b"HEAD"))
        assert head.endswith(b"\r\n\r\n") and b"Content-Length: " in head
        assert b"\r\nConnection: close\r\n" in exchange(server.port, b"GET / HTTP/1.0\r\n\r\n")
        with connect(server.port) as client:
            for _ in range(2):
                client.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                assert b"\r\nConnection: keep-alive\r\n" in read_answer(client)


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    with serving(echo, limits=Limits(body_bytes=10)) as server, connect(server.port) as client:
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert read_answer(client).endswith(b'"body": "hello"}')
        # One that has sent the body already is not.
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        assert read_answer(client).startswith(b"HTTP/1.1 200")
        # Nor one whose body nobody wants.
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 11\r\n\r\n")
        assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_what_is_no_request_gets_an_envelope_and_the_end() -> None:
    with serving(echo) as server:
        answer = exchange(server.port, b"nonsense\r\n\r\n" + GET)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "BAD_REQUEST"
        assert answer.count(b"HTTP/1.1 ") == 1
        # What came before it is answered.
        assert exchange(server.port, GET + b"nonsense\r\n\r\n").count(b"HTTP/1.1 ") == 2


def test_an_answer_without_a_length_goes_in_chunks() -> None:
    def pieces(_: Environ, start_response: Start) -> Iterator[bytes]:
        # As a generator it starts its response only now.
        start_response("200 OK", [])
        yield b"ab"
        yield b""
        yield b"c" * 20

    with serving(pieces) as server:
        answer = exchange(server.port, LAST)
        assert b"\r\nTransfer-Encoding: chunked\r\n" in answer
        assert answer.endswith(b"\r\n\r\n2\r\nab\r\n14\r\n" + b"c" * 20 + b"\r\n0\r\n\r\n")
        old = exchange(server.port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert old.endswith(b"\r\n\r\nab" + b"c" * 20) and b"\r\nConnection: close\r\n" in old


def test_wsgi_as_it_is_written() -> None:
    closed = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"b"])

        def close(self) -> None:
            closed.append(True)

    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        write = start_response("200 OK", [("Content-Length", "2")])
        write(b"a")
        return Pieces()

    with serving(application) as server:
        assert exchange(server.port, LAST).endswith(b"\r\n\r\nab")
    assert closed == [True]


@pytest.mark.parametrize("pieces", [[b"ab"], [b"a", b"b"]])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
def test_where_there_may_be_no_body_none_is_sent(status: str, pieces: list[bytes]) -> None:
    """RFC 9110, 6.4.1: it would be read as the next answer."""

    def application(_: Environ, start_response: Start) -> Iterable[bytes]:
        start_response(status, [("Content-Length", "2")])
        return pieces

    with serving(application) as server:
        for request in (LAST, LAST.replace(b"GET", b"HEAD")):
            body = exchange(server.port, request).partition(b"\r\n\r\n")[2]
            assert body == (b"ab" if status == "200 OK" and request == LAST else b"")


def test_a_wrong_length_does_not_reach_the_next_answer() -> None:
    lengths = iter([3, 5])

    def application(_: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(next(lengths)))])
        return [b"abcd"]

    with serving(application) as server:
        # The rest of the first would be read as the second, and the rest of the second waited for: both end.
        assert exchange(server.port, GET).endswith(b"\r\n\r\nabc")
        assert exchange(server.port, GET).endswith(b"\r\n\r\nabcd")


@pytest.mark.parametrize("length", [[], [("Content-Length", "0")]])
@pytest.mark.parametrize("headers", [[("X", "a\r\nY: b")], [("X\n", "a")], [("X", "a\rb")]])
def test_a_header_with_the_end_of_a_line_is_never_sent(
    headers: list[tuple[str, str]], length: list[tuple[str, str]]
) -> None:
    def application(_: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", headers + length)
        return [b""]

    with serving(application) as server:
        assert exchange(server.port, GET) == b""


def test_an_application_that_fails() -> None:
    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/early":
            raise RuntimeError("secret")
        start_response("200 OK", [("Content-Length", "10")])
        return broken()

    def broken() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("secret")

    with serving(application) as server:
        early = exchange(server.port, LAST.replace(b"/", b"/early", 1))
        assert early.startswith(b"HTTP/1.1 500 ") and b"secret" not in early
        assert json.loads(early.partition(b"\r\n\r\n")[2])["code"] == "INTERNAL_ERROR"
        assert exchange(server.port, GET).endswith(b"\r\n\r\nhalf")


def test_half_sent_requests_hold_no_thread(quick: None) -> None:
    with serving(echo, threads=1, terms=QUICK) as server, connections(server.port, 50) as slow:
        for number, client in enumerate(slow):
            client.sendall(POST + b"Content-Length: 5\r\n\r\nhe" if number % 2 else b"GET / HTT")
        assert exchange(server.port, LAST).startswith(b"HTTP/1.1 200")
        for client in slow:
            # They are told, and let go.
            assert to_the_end(client).startswith(b"HTTP/1.1 408 Request Timeout")


def test_a_body_may_take_long_as_long_as_it_comes(quick: None) -> None:
    with serving(echo, terms=QUICK) as server, connect(server.port) as client:
        client.sendall(POST + b"Connection: close\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(20):
            client.sendall(b"x" * 50_000)
            time.sleep(0.04)
        assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_holds_no_thread_and_gets_all_of_it() -> None:
    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/small":
            return echo(environ, start_response)
        start_response("200 OK", [("Content-Length", str(LARGE))])
        return (b"%07d\n" % number * 131_072 for number in range(LARGE >> 20))

    with serving(application, threads=1) as server, connect(server.port) as client:
        client.sendall(GET)
        assert client.recv(4, socket.MSG_PEEK) == b"HTTP"
        for _ in range(3):
            assert exchange(server.port, LAST.replace(b"/", b"/small", 1)).startswith(b"HTTP/1.1 200")
        answer = read_answer(client).partition(b"\r\n\r\n")[2]
        assert answer == b"".join(b"%07d\n" % number * 131_072 for number in range(LARGE >> 20))
        client.sendall(LAST.replace(b"/", b"/small", 1))
        assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_a_client_that_never_reads_is_let_go(quick: None) -> None:
    closed = threading.Event()

    def application(_: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(LARGE))])
        return pieces()

    def pieces() -> Iterator[bytes]:
        try:
            for _ in range(LARGE >> 20):
                yield b"x" * (1 << 20)
        finally:
            closed.set()

    with serving(application, terms=QUICK) as server, connect(server.port) as client:
        client.sendall(GET)
        assert closed.wait(10)
        with pytest.raises(OSError):
            while client.recv(1 << 20):
                pass
            raise OSError("the end came too early, as it must")


def test_a_request_whose_client_has_gone_is_not_run() -> None:
    gate = Gate()
    with serving(gate, threads=1) as server, connect(server.port) as first:
        first.sendall(GET.replace(b"/", b"/first", 1))
        assert gate.running.acquire(timeout=10)
        with connect(server.port) as gone:
            gone.sendall(GET.replace(b"/", b"/gone", 1))
            time.sleep(loop.PATIENCE_S)
        with connect(server.port) as patient:
            patient.sendall(GET.replace(b"/", b"/patient", 1))
            time.sleep(2 * loop.PATIENCE_S)
            gate.open.set()
            read_answer(first)
            read_answer(patient)
    assert gate.finished == ["/first", "/patient"]


def test_a_client_that_has_closed_one_direction_is_answered() -> None:
    with serving(echo) as server, connect(server.port) as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_no_more_requests_run_at_once_than_there_are_threads() -> None:
    gate = Gate()
    with serving(gate, threads=3) as server, connections(server.port, 8) as clients:
        for client in clients:
            client.sendall(LAST)
        for _ in range(3):
            assert gate.running.acquire(timeout=10)
        assert not gate.running.acquire(timeout=0.2)
        gate.open.set()
        for client in clients:
            assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_idle_connections_make_room_for_new_clients() -> None:
    with serving(echo, most_connections=5) as server, connections(server.port, 5) as idle:
        for client in idle:
            client.sendall(GET)
            read_answer(client)
            # Its thread may still have to say that it is idle.
            time.sleep(0.1)
        for _ in range(3):
            assert exchange(server.port, LAST).startswith(b"HTTP/1.1 200")
        # The one that had been idle longest.
        assert idle[0].recv(1) == b""
        idle[4].sendall(GET)
        read_answer(idle[4])


def test_half_sent_headers_keep_no_client_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SLOW_HEAD_S", 0.3)
    with serving(echo, most_connections=5) as server, connections(server.port, 20) as slow:
        for client in slow:
            client.sendall(GET[:20])
        time.sleep(0.5)
        started = time.monotonic()
        assert exchange(server.port, LAST).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - started < Deadlines().head_s / 2


@pytest.mark.parametrize("sent", [POST + b"Content-Length: 5\r\n\r\nhe", GET.replace(b"/", b"/large", 1)])
def test_clients_that_stand_still_keep_no_client_out(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    def application(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/large":
            return echo(environ, start_response)
        start_response("200 OK", [("Content-Length", str(LARGE))])
        return (b"x" * (1 << 20) for _ in range(LARGE >> 20))

    monkeypatch.setattr(loop, "SLOW_TRANSFER_S", 0.3)
    with serving(application, most_connections=5) as server, connections(server.port, 5) as standing:
        for client in standing:
            client.sendall(sent)
        time.sleep(0.5)
        started = time.monotonic()
        assert exchange(server.port, LAST).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - started < Deadlines().body_s / 2


def test_what_waits_for_nothing_waits_for_no_thread() -> None:
    gate = Gate()
    terms = Terms(is_immediate=lambda environ: environ["PATH_INFO"] == "/free")
    with serving(gate, threads=2, terms=terms) as server, connections(server.port, 10) as busy:
        for client in busy:
            client.sendall(LAST)
        with connect(server.port) as client:
            for _ in range(3):
                client.sendall(GET.replace(b"/", b"/free", 1))
                assert read_answer(client).startswith(b"HTTP/1.1 200")
        gate.open.set()
        for client in busy:
            assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_with_all_connections_busy_a_new_client_waits() -> None:
    gate = Gate()
    with serving(gate, most_connections=2) as server, connections(server.port, 2) as busy:
        for client in busy:
            client.sendall(LAST)
            assert gate.running.acquire(timeout=10)
        with connect(server.port) as waiting:
            waiting.sendall(LAST)
            assert not gate.running.acquire(timeout=0.3)
            gate.open.set()
            assert to_the_end(waiting).startswith(b"HTTP/1.1 200")
        for client in busy:
            assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_without_descriptors_clients_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TICK_S", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(echo) as server, socket.socket() as client, heard_events() as heard:
        client.settimeout(10)
        with ExitStack() as stack:
            # Every number below the limit is taken.
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 3, hard))
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            with suppress(OSError):
                while True:
                    stack.enter_context(Path(os.devnull).open())
            client.connect(("127.0.0.1", server.port))
            client.sendall(LAST)
            time.sleep(0.5)
        assert to_the_end(client).startswith(b"HTTP/1.1 200")
    # Asked again with each tick, and not all the time.
    assert 1 <= sum(isinstance(event, NoClientAccepted) for event in heard) <= 20


FEW_BODIES = Terms(most_body_bytes=3_000_000)


def test_many_large_bodies_do_not_fill_the_memory() -> None:
    limits = Limits(body_bytes=1_000_000)
    with serving(echo, limits=limits, terms=FEW_BODIES) as server, connections(server.port, 6) as clients:
        head = POST + b"Connection: close\r\nContent-Length: 1000000\r\n\r\n"
        for client in clients:
            client.sendall(head + b"x" * 900_000)
            time.sleep(0.05)
        # The first three had taken longest, and were given up for the others.
        for client in clients[3:]:
            client.sendall(b"x" * 100_000)
            assert to_the_end(client).startswith(b"HTTP/1.1 200")
        for client in clients[:3]:
            assert to_the_end(client).startswith(b"HTTP/1.1 503")


def test_large_bodies_that_wait_for_a_thread_do_not_fill_the_memory() -> None:
    gate = Gate()
    limits = Limits(body_bytes=1_000_000)
    with (
        serving(gate, threads=1, limits=limits, terms=FEW_BODIES) as server,
        connections(server.port, 7) as (running, *clients),
    ):
        body = POST + b"Connection: close\r\nContent-Length: 900000\r\n\r\n" + b"x" * 900_000
        running.sendall(body)
        assert gate.running.acquire(timeout=10)
        for client in clients:
            client.sendall(body)
            time.sleep(0.05)
        for client in clients[:3]:
            assert to_the_end(client).startswith(b"HTTP/1.1 503")
        gate.open.set()
        # What runs counts no more.
        for client in (running, *clients[3:]):
            assert to_the_end(client).startswith(b"HTTP/1.1 200")


def test_the_end_waits_for_what_has_begun_and_for_a_last_request() -> None:
    gate = Gate()
    with serving(gate) as server, connections(server.port, 3) as (running, idle, half):
        idle.sendall(GET.replace(b"/", b"/free", 1))
        read_answer(idle)
        running.sendall(GET)
        half.sendall(POST)
        assert gate.running.acquire(timeout=10)
        server.stop()
        time.sleep(0.2)
        idle.sendall(GET.replace(b"/", b"/free", 1))
        half.sendall(b"Content-Length: 0\r\n\r\n")
        gate.open.set()
        for client in (idle, running, half):
            answer = to_the_end(client)
            assert answer.startswith(b"HTTP/1.1 200") and b"\r\nConnection: close\r\n" in answer


def test_clients_that_break_off_leave_nothing() -> None:
    with serving(echo) as server:
        for data in (b"", GET[:9], GET, POST + b"Content-Length: 9\r\n\r\nx", GET * 3):
            for _ in range(20):
                with connect(server.port) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    client.sendall(data)
        assert exchange(server.port, LAST).startswith(b"HTTP/1.1 200")
        deadline = time.monotonic() + 5
        while server.connections:
            assert time.monotonic() < deadline
            time.sleep(0.02)
