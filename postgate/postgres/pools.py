"""A pool of connections for each backend, opened in the process that uses it and closed when it is idle."""

from __future__ import annotations

import os
import re
import select
import time
from contextlib import suppress
from threading import Condition, Event, Lock, Thread
from typing import NamedTuple

import psycopg

from postgate.config import Config
from postgate.conninfo import explain, is_malformed
from postgate.errors import DatabaseNotFound, PostgateError, Unavailable
from postgate.observe.events import (
    ConnectionAwaited,
    ConnectionLost,
    ConnectionOpened,
    ConnectionRefused,
    PoolFull,
    happened,
)
from postgate.postgres.connection import SHARED, Backend, Connection, SuperuserLogin, connect
from postgate.postgres.pipeline import Command, Pipeline, Row
from postgate.postgres.priority import give_way

# After a failed connect, requests are refused at once for this long, instead of each waiting for its own attempt.
FAIL_FAST_S = 0.5
# After so many in a row no request tries any more: a server that takes packets and does not answer would hold each for
# the whole time of a connect.
MAX_FAILURES = 3
# A session's memory grows with what it has seen, and a balanced address may lead elsewhere by now.
_MAX_LIFETIME_S = 3600.0
# Between two looks for idle connections.
_SWEEP_S = 1.0
_NO_DATABASE = re.compile(r'FATAL: +database ".*" does not exist')


class PoolState(NamedTuple):
    """How many connections are open and free, and how many requests wait for one."""

    open: int
    free: int
    waiting: int


class Pool:
    """The connections of one backend in one process: the one that was used last is taken first, so that those that
    are not needed become idle and are closed."""

    def __init__(self, backend: Backend, config: Config) -> None:
        self.backend = backend
        self._config = config
        self._changed = Condition(Lock())
        # All that follows is guarded by it. Idle connections, taken ones and those being opened are counted as open.
        self._idle: list[Connection] = []
        # Nobody can use them, so they are not counted: the other tenants need the places.
        self._going_on: list[Connection] = []
        self._open = 0
        self._opening = 0
        # Taken for tenants' statements, by who has them or is about to open them.
        self._lent = 0
        self._waiting = 0
        self._used_at = time.monotonic()
        self._failure: psycopg.Error | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._is_probed = False
        # When the server last ended a connection: of those that were open then, others may be dead or about to be.
        self._lost_at = 0.0
        self._is_closed = False

    def take(self, is_own: bool = False) -> Connection:
        """A connection that was alive a moment ago.

        Args:
            is_own: for a question of the gateway itself, which waits for no tenant's statement: there is one connection
                more than those have. `give_back` has to be told the same.

        Raises:
            Unavailable: there is none within the time, or the server cannot be reached.
            DatabaseNotFound: the dedicated server does not have the database.
        """
        deadline = time.monotonic() + self._config.pool_timeout_s
        while True:
            with self._changed:
                connection = self._wait_for_idle(deadline, is_own)
                self._lent += not is_own
            try:
                if connection is None:
                    connection = self._open_one()
                elif connection.opened_at < self._lost_at or not _is_alive(connection):
                    self._discard(connection)
                    connection = None
            except BaseException:
                self._end_loan(is_own)
                raise
            if connection is not None:
                return connection
            self._end_loan(is_own)

    def give_back(self, connection: Connection, is_own: bool = False) -> None:
        """Keep the connection for the next one who asks, unless nobody else may have it."""
        now = time.monotonic()
        if connection.is_lost:
            self._lost_at = now
            happened(ConnectionLost(self.backend.label))
        if _is_reusable(connection, now) and connection.opened_at >= self._lost_at:
            with self._changed:
                if not self._is_closed:
                    connection.used_at = self._used_at = now
                    self._idle.append(connection)
                    self._note_return(is_own)
                    return
        self._discard(connection)
        self._end_loan(is_own)

    def _end_loan(self, is_own: bool) -> None:
        with self._changed:
            self._note_return(is_own)

    def _note_return(self, is_own: bool) -> None:
        """The caller holds the lock."""
        if is_own:
            # Whoever is woken first might wait for a tenant's place, which has not become free.
            self._changed.notify_all()
        else:
            self._lent -= 1
            self._changed.notify()

    def state(self) -> PoolState:
        with self._changed:
            return PoolState(self._open, len(self._idle), self._waiting)

    def close_idle(self) -> bool:
        """Close the connections that nobody has used for a while, and those whose backend has gone on and ended.

        Returns:
            Whether the pool itself can go.
        """
        oldest = time.monotonic() - self._config.pool_idle_s
        with self._changed:
            unused = [connection for connection in self._idle if connection.used_at < oldest]
            self._idle = [connection for connection in self._idle if connection.used_at >= oldest]
            self._open -= len(unused)
            # An answer says that the backend has noticed its cancel at last.
            ended = [connection for connection in self._going_on if _is_readable(connection)]
            self._going_on = [connection for connection in self._going_on if connection not in ended]
            is_unused = self._open == 0 and not self._going_on and self._used_at < oldest
        for connection in unused + ended:
            connection.close()
        return is_unused

    def close(self) -> None:
        """Close what is idle now, and the rest as it is given back."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._open -= len(idle)
            idle += self._going_on
            self._going_on = []
        for connection in idle:
            connection.close()

    def _wait_for_idle(self, deadline: float, is_own: bool) -> Connection | None:
        """An idle connection, or None when the caller is to open one; the caller holds the lock."""
        while True:
            self._used_at = now = time.monotonic()
            may_have_one = is_own or self._lent < self._config.pool_size
            if self._idle and may_have_one:
                return self._idle.pop()
            has_just_failed = self._failure is not None and now - self._failed_at < FAIL_FAST_S
            if self._failure is not None and self._open == self._opening:
                if self._failures >= MAX_FAILURES:
                    self._have_it_probed()
                    raise self._refusal()
                # While the server is down, one request at a time finds out whether it still is.
                if self._opening or has_just_failed:
                    raise self._refusal()
            if self._open < self._config.pool_size + is_own and may_have_one and not has_just_failed:
                self._open += 1
                self._opening += 1
                return None
            if now >= deadline:
                happened(PoolFull(self.backend.label, self._config.pool_timeout_s))
                raise Unavailable("no connection to the database is free")
            self._waiting += 1
            self._changed.wait(min(deadline - now, FAIL_FAST_S) if has_just_failed else deadline - now)
            self._waiting -= 1
            happened(ConnectionAwaited(self.backend.label, time.monotonic() - now))

    def _open_one(self) -> Connection | None:
        """A new connection; None when it failed and the caller can wait for one of those that stand."""
        failure: psycopg.Error | None = None
        connection: Connection | None = None
        started = time.monotonic()
        try:
            connection = connect(self.backend, self._config)
            happened(ConnectionOpened(self.backend.label, (time.monotonic() - started) * 1000))
        except psycopg.Error as error:
            failure = error
        finally:
            with self._changed:
                self._opening -= 1
                self._open -= connection is None
                self._note_attempt(failure)
                self._changed.notify_all()
                has_others = self._open > self._opening
        if connection is None and not has_others:
            raise self._refusal()
        return connection

    def _have_it_probed(self) -> None:
        if not self._is_probed:
            self._is_probed = True
            Thread(target=self._probe, name="postgate-probe", daemon=True).start()

    def _probe(self) -> None:
        """Try to connect, until that succeeds or nobody has asked for a while."""
        while True:
            time.sleep(FAIL_FAST_S)
            with self._changed:
                is_wanted = not self._is_closed and time.monotonic() - self._used_at < self._config.pool_idle_s
                if not is_wanted or self._failure is None:
                    # The next request begins anew.
                    self._failures, self._is_probed = 0, False
                    return
                self._open += 1
                self._opening += 1
            # Whatever it is: without this thread nobody would try again.
            with suppress(Exception):
                connection = self._open_one()
                if connection is not None:
                    self.give_back(connection, is_own=True)

    def _note_attempt(self, failure: psycopg.Error | None) -> None:
        self._failure, self._failed_at = failure, time.monotonic()
        self._failures = self._failures + 1 if failure is not None else 0
        if failure is not None:
            # Without the address of a tenant's server.
            reason = explain(failure, self.backend.conninfo)
            happened(ConnectionRefused(self.backend.label, reason, self._failures))

    def _discard(self, connection: Connection) -> None:
        with self._changed:
            waits = connection.goes_on and not self._is_closed
            if waits:
                self._going_on.append(connection)
        if waits:
            give_way(connection)
        else:
            connection.close()
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def _refusal(self) -> PostgateError:
        if self.backend.key != SHARED and _NO_DATABASE.search(str(self._failure)):
            return DatabaseNotFound()
        if isinstance(self._failure, SuperuserLogin):
            return Unavailable(
                "the login of the dedicated database is a superuser: put another one into its connection string,"
                " or set POSTGATE_ALLOW_DEDICATED_SUPERUSER=true"
            )
        return Unavailable()


class Loan:
    """A connection while the body of a `with` runs."""

    def __init__(self, pool: Pool, is_own: bool) -> None:
        self._pool = pool
        self._is_own = is_own

    def __enter__(self) -> Connection:
        self._connection = self._pool.take(self._is_own)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._pool.give_back(self._connection, self._is_own)


class Pools:
    """The pools of this process, by backend."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()
        self._pools: dict[str, Pool] = {}
        self._closed = Event()
        self._pid = 0
        # Of the process that this one was forked from; never closed here, because the sockets are shared.
        self._inherited: list[dict[str, Pool]] = []
        self.shared = Backend(SHARED, config.conninfo or "")

    def connection(self, backend: Backend, is_own: bool = False) -> Loan:
        """A connection of the backend for the body of a `with`; one that the body closed, or left in a transaction, is
        not used again.

        Args:
            is_own: as of `Pool.take`.

        Raises:
            Unavailable, DatabaseNotFound: as `Pool.take`.
        """
        return Loan(self._pool(backend), is_own)

    def query(self, backend: Backend, command: Command, limit_ms: int) -> list[Row]:
        """Run one command that only reads, and return its rows.

        Raises:
            CommandRefused, ConnectionLost: as `Pipeline.query`.
            Unavailable, DatabaseNotFound: as `connection`.
        """
        with (
            self.connection(backend, is_own=True) as connection,
            Pipeline(connection, limit_ms, repeatable=True) as pipeline,
        ):
            return pipeline.query(command)

    def states(self) -> list[tuple[str, PoolState]]:
        """Of each backend its label and what its pool has; of the shared one also where nobody has asked for it yet."""
        pools = dict(self._pools)
        states = [(pool.backend.label, pool.state()) for pool in pools.values()]
        if self.shared.key not in pools:
            states.append((self.shared.label, PoolState(open=0, free=0, waiting=0)))
        return states

    def close(self) -> None:
        """Close every connection; whoever asks for one after this is told that the service stops."""
        with self._lock:
            self._closed.set()
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()

    def _pool(self, backend: Backend) -> Pool:
        pool = self._pools.get(backend.key)
        if pool is not None and pool.backend is backend and self._pid == os.getpid():
            return pool
        with self._lock:
            if self._closed.is_set():
                raise Unavailable("the service is stopping")
            if self._pid != os.getpid():
                self._start()
            pool = self._pools.get(backend.key)
            if pool is not None and pool.backend == backend:
                return pool
            if is_malformed(backend.conninfo):
                raise Unavailable("the database's connection string is malformed")
            outdated, pool = pool, Pool(backend, self._config)
            self._pools[backend.key] = pool
        if outdated is not None:
            outdated.close()
        return pool

    def _start(self) -> None:
        """Begin in this process, which may be a fork of one that has begun."""
        self._inherited.append(self._pools)
        self._pid, self._pools = os.getpid(), {}
        Thread(target=self._sweep, name="postgate-pools", daemon=True).start()

    def _sweep(self) -> None:
        while not self._closed.wait(_SWEEP_S):
            with self._lock:
                for pool in [pool for pool in self._pools.values() if pool.close_idle()]:
                    # Whoever has just got it still can use it; its connections are closed as they are given back.
                    del self._pools[pool.backend.key]
                    pool.close()


def _is_reusable(connection: Connection, now: float) -> bool:
    return not (
        connection.closed
        or connection.goes_on
        or connection.is_stained
        or connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE
        or now - connection.opened_at > _MAX_LIFETIME_S
    )


def _is_alive(connection: Connection) -> bool:
    """Whether an idle connection has nothing to say: its last words or its end make the socket readable."""
    if connection.closed:
        return False
    if not _is_readable(connection):
        return True
    try:
        # A notice or a change of a parameter is harmless.
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return (
        not connection.closed and connection.pgconn.status == psycopg.pq.ConnStatus.OK and not _is_readable(connection)
    )


def _is_readable(connection: Connection) -> bool:
    """Whether the server has sent something that nobody has read, be it the end of the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
