"""Large requests of one database, and clients that do not take their answers, leave the others their memory."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from support.databases import a_database
from support.service import Service, Tenant, a_service

from postgate.access.memory import Memory

MEGABYTE = 1024 * 1024
# A quarter of it is for bodies that wait, and half of the rest for one database: 39 megabytes.
SETTINGS = {"memory_bytes": 104 * MEGABYTE, "max_result_bytes": 16 * MEGABYTE, "pool_timeout_s": 0.5}
# More than the buffers of the sockets take.
LARGE = "SELECT repeat('x', 1500) AS a FROM generate_series(1, 10000)"
MIDDLING = "SELECT repeat('x', 300000) AS a"


@pytest.fixture(scope="module")
def service(server: str, template: str) -> Iterator[Service]:
    with a_database(server, template) as conninfo, a_service(conninfo, **SETTINGS) as served:
        yield served


@contextmanager
def who_do_not_read(service: Service, tenant: Tenant, sql: str, clients: int) -> Iterator[None]:
    """Clients that ask, and do not take the answer."""
    body = json.dumps({"sql": sql}).encode()
    head = f"POST /query HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {tenant.token}\r\nContent-Length: {len(body)}\r\n"
    asked = [socket.create_connection(("127.0.0.1", service.port), 10) for _ in range(clients)]
    try:
        for client in asked:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(head.encode() + b"\r\n" + body)
            # So that none waits for another.
            assert client.recv(12) == b"HTTP/1.1 200"
        yield
    finally:
        for client in asked:
            client.close()


def memory_of(service: Service) -> Memory:
    assert service.app is not None
    memory: Memory = service.app.extensions["postgate"].memory
    return memory


def until_nothing_is_held(service: Service) -> None:
    deadline = time.monotonic() + 10
    while memory_of(service).held_bytes:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_answers_that_nobody_takes_are_bounded(service: Service) -> None:
    greedy, other = service.tenant(max_rows=10_000), service.tenant(max_rows=10_000)
    with who_do_not_read(service, greedy, LARGE, 4):
        held = memory_of(service).held_bytes
        # The last one was let through when it had begun.
        assert 39 * MEGABYTE - 1_000_000 < held < 55 * MEGABYTE
        answer = service.query(LARGE, token=greedy.token)
        assert (answer.status, answer.code) == (503, "UNAVAILABLE")
        assert answer.headers["Retry-After"] == "1" and "memory" in answer.json["error"]
        assert service.query("SELECT 1 AS a", token=greedy.token).status == 200
        assert service.query(LARGE, token=other.token).status == 200
    until_nothing_is_held(service)
    assert service.query(LARGE, token=greedy.token).status == 200


def test_a_write_that_finds_no_memory_is_not_committed(service: Service) -> None:
    greedy = service.tenant(max_rows=10_000)
    service.query("CREATE TABLE t (a int)", token=greedy.token)
    insert = "INSERT INTO t SELECT generate_series(1, 10000) RETURNING repeat('x', 1500)"
    with who_do_not_read(service, greedy, LARGE, 4):
        answer = service.query(insert, token=greedy.token)
        assert (answer.status, "outcome" in answer.json) == (503, False)
    assert service.query("SELECT count(*) AS n FROM t", token=greedy.token).rows == [{"n": 0}]


@pytest.mark.parametrize(
    "sql",
    [LARGE, MIDDLING, "SELECT repeat('x', 7500000) AS a", LARGE + " ORDER BY 1 / (generate_series - 5)", "SELECT 'x"],
    ids=["large", "middling", "one value", "fails", "no statement"],
)
def test_all_is_given_back(service: Service, sql: str) -> None:
    tenant = service.tenant(max_rows=10_000)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: service.query(sql, token=tenant.token), range(12)))
    until_nothing_is_held(service)


def test_a_body_that_takes_more_than_all_has_its_turn(service: Service) -> None:
    tenant = service.tenant()
    numbers = list(range(900_000))
    with ThreadPoolExecutor(3) as threads:
        sql = "SELECT cardinality($1::int[]) AS n"
        answers = list(threads.map(lambda _: service.query(sql, numbers, token=tenant.token), range(3)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert [answer.rows for answer in answers if answer.status == 200][:1] == [[{"n": 900_000}]]
    until_nothing_is_held(service)
