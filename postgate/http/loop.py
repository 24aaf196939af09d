"""The loop of a worker: it reads whole requests, a few threads run them, and the thread that has the answer writes it.

Whatever waits for a client waits here, so no slow or half-sent request, and no client that does not read, holds a
thread. epoll tells each change of a socket once (edge-triggered), which saves a system call for each request.
"""

from __future__ import annotations

import heapq
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, NamedTuple

from postgate.errors import InternalError, PostgateError, RateLimited, RequestRefused, Unavailable
from postgate.http.connection import Connection, Stage
from postgate.http.refusals import refusal
from postgate.http.requests import Limits, Reader, Request
from postgate.http.responses import CONTINUE, Response
from postgate.http.terms import STOPPING, NoSlot, Terms
from postgate.http.threads import Threads
from postgate.observe.events import NoClientAccepted, UnexpectedFailure, happened
from postgate.observe.requests import RECORD, RequestRecord
from postgate.observe.telling import answered

READ_BYTES = 64 * 1024
# What each second of a transfer has to bring, or its deadline comes nearer.
LEAST_BYTES_PER_S = 4096
# With all connections in use, a header that has taken longer than this makes room for a new client, and so does a
# client that has sent nothing of its body, or taken nothing of its answer, for so long.
SLOW_HEAD_S = 1.0
SLOW_TRANSFER_S = 5.0
# How long a connection that we have ended is read on, because what comes would otherwise destroy the answer under way
# (RFC 9112, 9.6).
END_S = 2.0
# How long a worker that stops still takes a request that the client may have sent already on an idle connection.
LAST_REQUEST_S = 1.0
# Clients without a token can send bodies too. Of those that are larger than this, the ones that are incomplete or wait
# have a limit together; beyond it the one that has taken longest is given up.
SMALL_BODY_BYTES = 64 * 1024
# A request whose client has gone is not run if it has waited for a thread for longer than this. Before that, a client
# may have closed one direction only, because it has no more requests.
PATIENCE_S = 0.1
# With requests that wait for a slot, so often it is looked whether there is one.
LOOK_AGAIN_S = 0.02
# So often the deadlines are looked at.
TICK_S = 1.0

_CLIENT = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_READING = (Stage.REQUEST, Stage.HEAD, Stage.BODY)
_LEFT = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR


class Observer(NamedTuple):
    """What is told of each request, in the thread that runs it: before it runs, and when its answer is sent."""

    begins: Callable[[Request], None]
    ends: Callable[[Request, Response], None]


class Loop:
    """Serves a WSGI application on listening sockets until it is told to stop."""

    def __init__(
        self,
        application: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]],
        listeners: Iterable[socket.socket],
        *,
        threads: int = 16,
        most_connections: int = 1000,
        keep_alive_s: float = 75.0,
        limits: Limits | None = None,
        terms: Terms | None = None,
        environment: dict[str, Any] | None = None,
        observer: Observer | None = None,
    ) -> None:
        """
        Args:
            threads: the most requests that run at once.
            keep_alive_s: how long a connection may be idle.
            environment: what the environment of every request has, besides what PEP 3333 asks for.
        """
        self._application = application
        self._most_connections = most_connections
        self._keep_alive_s = keep_alive_s
        self._limits = limits or Limits()
        self._terms = terms or Terms()
        self._deadlines = self._terms.deadlines
        self._slots = self._terms.slots
        self._threads = Threads(threads, self._serve, self._turn_away, self._slots, self._terms.most_waiting)
        self._environment = {
            "SCRIPT_NAME": "",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            # The body ends where its stream ends, whatever its length is said to be.
            "wsgi.input_terminated": True,
            **(environment or {}),
        }
        self._observer = observer
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._connections: dict[int, Connection] = {}
        # Bytes of large bodies, the one that came first before the others. Those that threads have taken since are left
        # out when it is looked at.
        self._large: dict[Connection, int] = {}
        # Connections that bring no new event though something is left to read, or to do, on them.
        self._again: list[Connection] = []
        # The same, from the threads.
        self._posted: deque[Connection] = deque()
        # Whoever writes to the second one wakes the loop.
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._epoll = select.epoll()
        self._accepting = False
        self._stopping = False
        self._next_look = self._next_tick = 0.0

    def run(self, is_wanted: Callable[[], bool], grace_s: float = 30.0) -> None:
        """Serve as long as it is wanted, which is asked at least once in TICK_S and after each `wake`.

        Then nothing new is accepted; what has begun, and what a client sends at this very moment, is finished.

        Args:
            grace_s: how long that may take.
        """
        self._epoll.register(self._woken, select.EPOLLIN)
        self._accept(True)
        while is_wanted():
            self._turn()
        self._accept(False)
        # If our master is gone too, the next one needs the address now, and not when the last statement has ended.
        for listener in self._listeners.values():
            listener.close()
        self._stopping = True
        last = monotonic() + LAST_REQUEST_S
        for connection in self._connections.values():
            if connection.stage is Stage.REQUEST:
                connection.deadline = min(connection.deadline, last)
        end = monotonic() + grace_s
        while self._connections and monotonic() < end:
            self._next_tick = 0.0
            self._turn(0.1)
            is_wanted()
        for connection in list(self._connections.values()):
            self._close(connection)
        self._epoll.close()
        self._woken.close()
        self._waker.close()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def wake(self) -> None:
        """Have the loop go round now, from another thread or a signal handler."""
        # Either it wakes already, or it has ended while a statement went on.
        with suppress(OSError):
            self._waker.send(b"\0")

    # What happens on the sockets.

    def _turn(self, most_s: float = TICK_S) -> None:
        if self._threads.has_waiting:
            most_s = min(most_s, LOOK_AGAIN_S)
        events = self._epoll.poll(0 if self._again else most_s)
        again, self._again = self._again, []
        for descriptor, event in events:
            connection = self._connections.get(descriptor)
            if connection is not None:
                if event & _LEFT:
                    connection.left = True
                self._attend(connection)
            elif descriptor in self._listeners:
                self._accept_one(self._listeners[descriptor])
            elif descriptor == self._woken.fileno():
                self._woken.recv(4096)
        for connection in again:
            self._attend(connection)
        while self._posted:
            self._attend(self._posted.popleft())
        now = monotonic()
        if now >= self._next_look and self._threads.has_waiting:
            # Another worker may have given back what they wait for.
            self._next_look = now + LOOK_AGAIN_S
            self._threads.look_again()
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._end_the_late(now)
            # A client that found no room may do so now.
            self._accept(not self._stopping)

    def _accept(self, wanted: bool) -> None:
        if wanted == self._accepting:
            return
        self._accepting = wanted
        for descriptor, listener in self._listeners.items():
            if wanted:
                listener.setblocking(False)
                # One worker of those that wait is woken, not all.
                self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLEXCLUSIVE)
            else:
                self._epoll.unregister(descriptor)

    def _accept_one(self, listener: socket.socket) -> None:
        """Only one in a turn: the other workers take the next."""
        if len(self._connections) >= self._most_connections and not self._make_room():
            self._accept(False)
            return
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionError):
            # Another worker was faster, or the client has gone.
            return
        except OSError as error:
            # There is no descriptor left, and the client still waits: asked at once, it would be the same again.
            happened(NoClientAccepted(error.strerror or type(error).__name__))
            self._accept(False)
            return
        client.setblocking(False)
        reader = Reader(self._environment, client.getsockname(), address, self._limits)
        self._connections[client.fileno()] = Connection(client, reader, monotonic() + self._keep_alive_s)
        self._epoll.register(client.fileno(), _CLIENT)

    def _attend(self, connection: Connection) -> None:
        """Go on with a connection on which something has happened."""
        # In this order: its thread first lets it go, and then looks whether there is something to read.
        connection.unread = True
        if connection.running or connection.socket.fileno() < 0:
            return
        try:
            if connection.unsent is not None:
                self._send_rest(connection, connection.unsent)
            elif connection.stage is Stage.END:
                self._read(connection)
            elif connection.ended:
                self._end(connection)
            else:
                if connection.reader.has_next:
                    self._take(connection, b"")
                if connection.stage in _READING:
                    self._read(connection)
        except OSError:
            self._close(connection)
        except Exception as error:
            # A fault of ours costs one client its connection, and not all of them the worker.
            happened(UnexpectedFailure.of(error))
            self._close(connection)

    def _read(self, connection: Connection) -> None:
        connection.unread = False
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close(connection)
            return
        if len(data) == READ_BYTES or connection.left:
            # There is more, or the end, and no event will tell.
            self._again.append(connection)
        if connection.stage is not Stage.END:
            self._take(connection, data)

    def _take(self, connection: Connection, data: bytes) -> None:
        reader = connection.reader
        try:
            request = reader.feed(data)
        except RequestRefused as error:
            self._refuse(connection, error)
            return
        if request is not None:
            connection.request = request
            self._note_body(connection, request.body_bytes)
            self._dispatch(connection, self._terms.is_immediate(request.environ))
            return
        if reader.in_body:
            if connection.stage is not Stage.BODY:
                connection.stage = Stage.BODY
                connection.deadline = monotonic() + self._deadlines.body_s
            connection.deadline += len(data) / LEAST_BYTES_PER_S
            connection.since = monotonic()
            if reader.expects_continue:
                reader.expects_continue = False
                connection.socket.send(CONTINUE)
            self._note_body(connection, reader.body_bytes)
        elif connection.stage is not Stage.HEAD and reader.begun:
            connection.stage = Stage.HEAD
            connection.deadline = monotonic() + self._deadlines.head_s

    def _dispatch(self, connection: Connection, is_immediate: bool = False) -> None:
        connection.stage = Stage.ANSWER
        connection.deadline = float("inf")
        connection.since = monotonic()
        connection.running = True
        request = connection.request
        if is_immediate:
            self._serve(connection)
            return
        connection.owner = self._terms.owner(request.environ) if request is not None and self._slots else None
        self._threads.submit(connection)

    def _turn_away(self, connection: Connection) -> None:
        """Answer a request that does not run; the connection goes on."""
        if connection.owner is None or self._slots is None or self._slots.has_room(connection.owner):
            connection.refusal = Unavailable("the service is busy")
        else:
            connection.refusal = RateLimited("too many statements of this database are under way")
        self._serve(connection)

    def _send_rest(self, connection: Connection, unsent: memoryview) -> None:
        sent = connection.send_rest(unsent)
        if connection.unsent is not None:
            if sent:
                connection.deadline += sent / LEAST_BYTES_PER_S
                connection.since = monotonic()
            return
        if connection.outgoing is not None:
            self._dispatch(connection)
        else:
            self._end(connection)

    # How a connection ends.

    def _refuse(self, connection: Connection, error: PostgateError) -> None:
        """Answer what is no request, or not all of one; after it nothing on the connection makes sense."""
        self._large.pop(connection, None)
        connection.reader.forget()
        environ = {"REQUEST_METHOD": "", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": connection.reader.client[0]}
        response = Response(Request(environ, keep_alive=False))
        connection.ended = True
        connection.stage = Stage.ANSWER
        connection.deadline = monotonic() + self._deadlines.answer_s
        try:
            if connection.send(b"".join(response.blocks(_tell(error, response)))):
                self._end(connection)
        except OSError:
            self._close(connection)

    def _end(self, connection: Connection) -> None:
        """End it behind its last answer."""
        connection.socket.shutdown(socket.SHUT_WR)
        connection.stage = Stage.END
        connection.deadline = monotonic() + END_S
        self._again.append(connection)

    def _close(self, connection: Connection) -> None:
        self._large.pop(connection, None)
        self._connections.pop(connection.socket.fileno(), None)
        connection.socket.close()
        if not connection.running:
            # The application lets go what it has kept for the rest of the answer.
            connection.outgoing = None

    def _end_the_late(self, now: float) -> None:
        for connection in list(self._connections.values()):
            if connection.running:
                self._end_the_wait(connection, now - connection.since)
            elif now < connection.deadline:
                continue
            elif connection.stage in (Stage.HEAD, Stage.BODY):
                self._refuse(connection, RequestRefused(408, "the rest of the request did not come in time"))
            else:
                self._close(connection)

    def _end_the_wait(self, connection: Connection, waited_s: float) -> None:
        if waited_s > self._terms.wait_s and self._threads.withdraw(connection):
            self._turn_away(connection)
        elif connection.left and waited_s > PATIENCE_S and self._threads.withdraw(connection):
            connection.running = False
            self._close(connection)

    def _make_room(self) -> bool:
        """End some connections for new clients, of those that need theirs least; whether there were any."""
        now = monotonic()
        ranked = [
            (rank, one.deadline, number, one)
            for number, one in enumerate(self._connections.values())
            if (rank := self._rank(one, now)) is not None
        ]
        # Several at once: to look among all of them for each new client could keep the loop busy.
        for *_, connection in heapq.nsmallest(1 + self._most_connections // 100, ranked):
            self._close(connection)
        return bool(ranked)

    def _rank(self, connection: Connection, now: float) -> int | None:
        """How little a client needs its connection, the least first; None if it may keep it."""
        stage = connection.stage
        if stage is Stage.END:
            return 0
        if stage is Stage.REQUEST:
            return 1
        if stage is Stage.HEAD:
            return 2 if connection.deadline - now <= self._deadlines.head_s - SLOW_HEAD_S else None
        return 3 if not connection.running and now - connection.since >= SLOW_TRANSFER_S else None

    def _note_body(self, connection: Connection, size: int) -> None:
        """Have it that a body has so many bytes now, and give up older ones if all are too much."""
        if size <= SMALL_BODY_BYTES:
            return
        self._large[connection] = size
        room = max(self._terms.most_body_bytes, self._limits.body_bytes)
        if sum(self._large.values()) <= room:
            return
        self._large = {one: held for one, held in self._large.items() if one.reader.in_body or one.request is not None}
        while sum(self._large.values()) > room:
            oldest = next(iter(self._large))
            del self._large[oldest]
            error = Unavailable("too many large bodies are under way")
            if oldest.reader.in_body:
                self._refuse(oldest, error)
            elif self._threads.withdraw(oldest):
                oldest.refusal = error
                self._serve(oldest)

    # In a thread.

    def _serve(self, connection: Connection) -> Any:
        """Run a request, or go on sending its answer, and give the connection back to the loop.

        Returns:
            Whose slot that took.

        Raises:
            NoSlot: the request has to wait for one.
        """
        try:
            self._answer(connection)
        except Exception as error:
            if not isinstance(error, OSError):
                happened(UnexpectedFailure.of(error))
            connection.unsent = connection.outgoing = None
            connection.ended = True
        if connection.unsent is not None:
            connection.deadline = monotonic() + self._deadlines.answer_s
        elif not connection.ended:
            connection.stage = Stage.REQUEST
            connection.deadline = monotonic() + (LAST_REQUEST_S if self._stopping else self._keep_alive_s)
        # From here on the connection is the loop's, and so is its next request.
        owner = connection.owner
        goes_on = connection.ended or connection.unsent is not None or connection.reader.has_next
        connection.running = False
        if goes_on or connection.unread:
            self._posted.append(connection)
            self.wake()
        return owner

    def _answer(self, connection: Connection) -> None:
        """Send as much of the answer as the client takes at once."""
        request, connection.request = connection.request, None
        if request is not None:
            if connection.left and connection.unread and monotonic() - connection.since > PATIENCE_S:
                # The client has gone while its request waited for a thread.
                connection.ended = True
                return
            response = Response(request)
            try:
                pieces = self._run(connection, request, response)
            except NoSlot:
                # When it runs again it has one.
                del request.environ["postgate.join"]
                connection.request = request
                raise
            connection.response, connection.outgoing = response, response.blocks(pieces)
        for block in connection.outgoing or ():
            if not connection.send(block):
                return
        done, connection.response, connection.outgoing = connection.response, None, None
        if done is not None:
            connection.ended = not done.keep_alive
            if self._observer is not None:
                self._observer.ends(done.request, done)

    def _run(self, connection: Connection, request: Request, response: Response) -> Iterable[bytes]:
        refusal, connection.refusal = connection.refusal, None
        if not request.began:
            request.began = monotonic()
            request.environ["postgate.arrived"] = connection.since
            if self._observer is not None:
                self._observer.begins(request)
        request.environ["postgate.client"] = connection.socket.fileno()
        if self._stopping:
            request.environ[STOPPING] = True
        if self._slots is not None and connection.owner is None:
            request.environ["postgate.join"] = partial(self._join, connection)
        try:
            if refusal is None:
                pieces = self._application(request.environ, response.start_response)
            else:
                pieces = _tell(refusal, response)
        except Exception as error:
            happened(UnexpectedFailure.of(error))
            return _tell(InternalError(), response)
        response.keep_alive = request.keep_alive and not self._stopping
        return pieces

    def _join(self, connection: Connection, owner: Any) -> None:
        connection.owner = owner
        if self._slots is not None and not self._slots.take(owner):
            raise NoSlot


def _tell(error: PostgateError, response: Response) -> list[bytes]:
    """The answer that tells an error, where no application is asked; the connection ends with it."""
    environ = response.request.environ
    record = environ.get(RECORD) or RequestRecord.of(environ)
    status, headers, body = refusal(error, record, error.status, error.envelope())
    response.start_response(status, [*headers, ("X-Request-ID", record.id)])
    answered(record)
    return [body]
