"""A pool of connections for each backend, opened in the process that uses it and closed when it is idle."""

from __future__ import annotations

import logging
import os
import re
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from postgate.config import Config
from postgate.conninfo import explain, is_malformed
from postgate.errors import DatabaseNotFound, PostgateError, Unavailable
from postgate.postgres.prepared import Prepared

log = logging.getLogger(__name__)

# For so long after a failed attempt to connect, nobody waits for another one.
FAIL_FAST_S = 0.5
SHARED = ""
_OPTIONS = {
    "fallback_application_name": "postgate",
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
# Passwords of our environment and home directory are for the shared database; a dedicated one has its own or none.
_NO_PASSWORD = {"password": "", "passfile": os.devnull}
_NO_DATABASE = re.compile(r'FATAL: +database ".*" does not exist')


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a tenant's statements run: the shared database, or a dedicated one with the key of its record."""

    key: str
    conninfo: str = field(repr=False)


class SuperuserLogin(psycopg.OperationalError):
    """A dedicated database whose tenant would be everything on its server."""


class Connection(psycopg.Connection[Any]):
    """A connection whose attempts are reported: `report` gets the error of each, or None.

    Attributes:
        is_stained: something may be left behind in the session, so nobody else may have it.
        prepared: the statements that are prepared in it.
    """

    is_stained = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.prepared = Prepared()

    @classmethod
    def connect(  # type: ignore[override]
        cls, conninfo: str = "", *, report: Callable[[Exception | None], None], refuses_superusers: bool, **options: Any
    ) -> Self:
        try:
            connection = super().connect(conninfo, **options)
            if refuses_superusers and connection.pgconn.parameter_status(b"is_superuser") == b"on":
                connection.close()
                raise SuperuserLogin("the login is a superuser")
        except Exception as error:
            report(error)
            raise
        report(None)
        return connection


class Pool(ConnectionPool[Connection]):
    """The connections of one backend in one process."""

    def __init__(self, backend: Backend, config: Config) -> None:
        self.backend = backend
        self.used_at = time.monotonic()
        self._taken: set[int] = set()
        self._failure: Exception | None = None
        self._failed_at = 0.0
        super().__init__(
            backend.conninfo,
            kwargs=_connect_options(backend, config) | {"report": self._note_attempt},
            connection_class=Connection,
            min_size=0,
            max_size=config.pool_size,
            timeout=config.pool_timeout_s,
            max_idle=config.pool_idle_s,
            # We answer 503 at once and let the next request try again, in place of trying in the background.
            reconnect_timeout=0,
            num_workers=1,
            open=True,
            name=f"postgate-{backend.key or 'shared'}",
        )

    def take(self) -> Connection:
        """A connection that was alive a moment ago.

        Raises:
            Unavailable: there is none within the time, or the server cannot be reached.
            DatabaseNotFound: the dedicated server does not have the database.
        """
        self.used_at = time.monotonic()
        while True:
            self._fail_fast()
            try:
                connection = self.getconn()
            except PoolTimeout as error:
                if not self._is_living:
                    self._note_attempt(error)
                raise Unavailable("no connection to the database is free") from None
            self._taken.add(id(connection))
            if _is_alive(connection):
                return connection
            connection.close()
            self.give_back(connection)

    def give_back(self, connection: Connection) -> None:
        self.used_at = time.monotonic()
        self._taken.discard(id(connection))
        if connection.is_stained or connection.prepared.is_full:
            connection.close()
        if not (connection.closed and self._leave_out(connection)):
            self.putconn(connection)

    def _leave_out(self, connection: Connection) -> bool:
        """Forget a closed connection if nobody waits for one: `putconn` would replace it, needed or not."""
        with self._lock:
            if self._waiting:
                return False
            self._nconns -= 1
        connection._pool = None
        return True

    def reconnect_failed(self) -> None:
        """Called by the pool when it could not connect: where no connection is left, nobody needs to wait."""
        with self._lock:
            waiting = [] if self._is_living else list(self._waiting)
            if waiting:
                self._waiting.clear()
        for client in waiting:
            client.fail(self._refusal())

    @property
    def is_in_use(self) -> bool:
        return bool(self._taken or self._waiting)

    @property
    def _is_living(self) -> bool:
        return bool(self._taken or self._pool)

    def _fail_fast(self) -> None:
        """While the server is down one request at a time finds out whether it still is."""
        if self._failure is None or self._is_living:
            return
        if self._waiting or time.monotonic() - self._failed_at < FAIL_FAST_S:
            raise self._refusal()

    def _note_attempt(self, error: Exception | None) -> None:
        if error is not None and self._failure is None:
            log.warning("cannot connect to %s: %s", self.name, explain(error, self.backend.conninfo))
        self._failure, self._failed_at = error, time.monotonic()

    def _refusal(self) -> PostgateError:
        if self.backend.key != SHARED and _NO_DATABASE.search(str(self._failure)):
            return DatabaseNotFound()
        if isinstance(self._failure, SuperuserLogin):
            return Unavailable(
                "the login of the dedicated database is a superuser: put another one into its connection string,"
                " or set POSTGATE_ALLOW_DEDICATED_SUPERUSER=true"
            )
        return Unavailable()


class Pools:
    """The pools of this process, by backend."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()
        self._pid = os.getpid()
        self._pools: dict[str, Pool] = {}
        self._closed = False
        self._swept_at = time.monotonic()
        self.shared = Backend(SHARED, config.conninfo or "")

    @contextmanager
    def connection(self, backend: Backend) -> Iterator[Connection]:
        """A connection of the backend; one that the body closed is replaced."""
        while True:
            pool = self._pool(backend)
            try:
                connection = pool.take()
                break
            except PoolClosed:
                continue
        try:
            yield connection
        except BaseException:
            if connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.close()
            raise
        finally:
            pool.give_back(connection)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close(timeout=0)

    def _pool(self, backend: Backend) -> Pool:
        with self._lock:
            if self._closed:
                raise Unavailable("the service is stopping")
            if self._pid != os.getpid():
                # A fork shares its parent's sockets: leave them alone and start anew.
                self._pid, self._pools = os.getpid(), {}
            unused = self._take_out_idle()
            pool = self._pools.get(backend.key)
            if pool is not None and pool.backend != backend:
                unused.append(pool)
                pool = None
            if pool is None:
                if is_malformed(backend.conninfo):
                    raise Unavailable("the database's connection string is malformed")
                pool = self._pools[backend.key] = Pool(backend, self._config)
        for old in unused:
            old.close(timeout=0)
        return pool

    def _take_out_idle(self) -> list[Pool]:
        now = time.monotonic()
        if now - self._swept_at < 1:
            return []
        self._swept_at = now
        idle = [
            pool
            for pool in self._pools.values()
            if not pool.is_in_use and now - pool.used_at > self._config.pool_idle_s
        ]
        for pool in idle:
            del self._pools[pool.backend.key]
        return idle


def _connect_options(backend: Backend, config: Config) -> dict[str, Any]:
    given = conninfo_to_dict(backend.conninfo)
    wanted = _OPTIONS if backend.key == SHARED else _OPTIONS | _NO_PASSWORD
    options = {name: value for name, value in wanted.items() if name not in given}
    return options | {
        "connect_timeout": max(2, round(config.pool_timeout_s)),
        "client_encoding": "utf8",
        "autocommit": True,
        "prepare_threshold": None,
        "refuses_superusers": backend.key != SHARED and not config.allow_dedicated_superuser,
    }


def _is_alive(connection: Connection) -> bool:
    """Whether an idle connection has nothing to say: its last words or its end make the socket readable."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        # A notice or a change of a parameter is harmless.
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return not connection.closed and connection.pgconn.status == psycopg.pq.ConnStatus.OK and not poll.poll(0)
