"""What one client, one tenant or one broken database does, while another tenant watches."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import psycopg
from observer import Client
from sides import Service
from support.background import in_threads

# Half of a header, half of a body, and an answer that nobody reads.
SOCKETS = 2_000
STATEMENTS = 200
DEDICATED_CLIENTS = 40
# Clients that still wait for an answer when a fault is over may do so for as long as a statement's time.
NO_LONGER_S = 0.0
SLOW = "SELECT count(*) FROM generate_series(1, 20000) AS a, generate_series(1, 20000) AS b WHERE (a + b) % 7 = 3"


@contextmanager
def half_requests(service: Service) -> Iterator[None]:
    """Sockets without a token that send a half and stay."""
    halves = (b"POST /query HTT", b"POST /query HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    with ExitStack() as stack:
        for number in range(SOCKETS):
            stack.enter_context(_connected(service)).sendall(halves[number % 2])
        yield


@contextmanager
def unread_answers(service: Service) -> Iterator[None]:
    """Clients that ask for megabytes and read nothing."""
    tenant = service.tenant().token
    body = b'{"sql": "SELECT repeat(\'x\', 5000000) AS x"}'
    head = f"POST /query HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {tenant}\r\nContent-Length: {len(body)}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(50):
            client = stack.enter_context(_connected(service))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(head.encode() + body)
            time.sleep(0.02)
        yield


@contextmanager
def lock_waits(service: Service) -> Iterator[None]:
    """A tenant whose statements all wait for one row."""
    schema, tenant = service.tenant()
    owner = Client(service.url, tenant)
    owner.rows("CREATE TABLE t (a int)")
    owner.rows("INSERT INTO t VALUES (1)")
    with ExitStack() as stack:
        if service.conninfo:
            other = stack.enter_context(psycopg.connect(service.conninfo))
            other.execute(f'UPDATE "{schema}".t SET a = 2')
            stack.callback(other.rollback)
        else:
            # By a tenant's own statement, which has to work on meanwhile.
            holds = f"WITH u AS (UPDATE t SET a = 2 RETURNING a) SELECT a, ({SLOW}) FROM u"
            stack.enter_context(_asking(service, tenant, 1, holds))
            time.sleep(0.5)
        stack.enter_context(_asking(service, tenant, STATEMENTS, "UPDATE t SET a = 3"))
        yield


@contextmanager
def slow_statements(service: Service) -> Iterator[None]:
    """A tenant whose statements keep PostgreSQL's processors busy."""
    with _asking(service, service.tenant().token, STATEMENTS, SLOW):
        yield


@contextmanager
def black_hole(service: Service) -> Iterator[None]:
    """Clients of a dedicated database whose server takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as silent:
        tenant = service.dedicated(f"host=127.0.0.1 port={silent.getsockname()[1]} user=a dbname=b password=c")
        with _asking(service, tenant, DEDICATED_CLIENTS, "SELECT 1"):
            yield


@contextmanager
def clients_that_leave(service: Service) -> Iterator[None]:
    """A tenant whose clients ask for something slow, and go."""
    tenant = service.tenant().token
    stop = threading.Event()

    def leave() -> None:
        while not stop.is_set():
            client = Client(service.url, tenant, timeout=0.2)
            with suppress(OSError, http.client.HTTPException):
                client.query(SLOW)
            client.close()

    with in_threads([leave] * 16, stop, NO_LONGER_S):
        yield


NEIGHBOURS: dict[str, Callable[[Service], AbstractContextManager[None]]] = {
    function.__name__.replace("_", " "): function
    for function in (half_requests, unread_answers, lock_waits, slow_statements, black_hole, clients_that_leave)
}


def _connected(service: Service) -> socket.socket:
    url = urlsplit(service.url)
    return socket.create_connection((url.hostname or "", url.port or 80), 10)


@contextmanager
def _asking(service: Service, token: str, clients: int, sql: str) -> Iterator[Counter[str]]:
    """So many clients who ask the same again and again."""
    stop = threading.Event()
    answers: Counter[str] = Counter()

    def ask() -> None:
        client = Client(service.url, token)
        while not stop.is_set():
            try:
                status, answer = client.query(sql)
                answers[f"{status} {answer.get('code', '')}"] += 1
            except (OSError, http.client.HTTPException) as error:
                status = 0
                answers[type(error).__name__] += 1
            if status != 200:
                # As Retry-After says, and not all at the same moment.
                time.sleep(random.uniform(0.5, 1.5))  # noqa: S311

    with in_threads([ask] * clients, stop, NO_LONGER_S):
        yield answers
