"""A client that goes: nothing runs on for it, unless it wants that, and nobody else is hit."""

import json
import select
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import closing

import pytest
from support.loops import connect, to_the_end
from support.service import Service, Tenant, a_service, until_active

LONG = "count(*) FROM generate_series(1, 100000) AS a, generate_series(1, 100000) AS b"
# A second or two.
A_WHILE = "count(*) FROM generate_series(1, 5000000) AS a"


def send(service: Service, tenant: Tenant, **members: object) -> socket.socket:
    body = json.dumps(members).encode()
    head = f"POST /query HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {tenant.token}\r\nContent-Length: {len(body)}\r\n"
    client = connect(service.port)
    client.sendall(head.encode() + b"\r\n" + body)
    return client


def reset(client: socket.socket) -> None:
    """Close it as a process does that is killed with data unread."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
@pytest.mark.parametrize(
    "members",
    [
        {"sql": f"SELECT {LONG}"},
        {"sql": f"INSERT INTO t SELECT {LONG}"},
        {"sql": f"INSERT INTO t SELECT {LONG} RETURNING n"},
        {"queries": [{"sql": "INSERT INTO t VALUES (1)"}, {"sql": f"SELECT {LONG}"}]},
        {"sql": f"SELECT {LONG}", "row_mode": "array", "detached": False},
    ],
)
def test_what_nobody_waits_for_is_cancelled(service: Service, members: dict[str, object], leave: object) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (n bigint)", token=tenant.token)
    client = send(service, tenant, **members)
    until_active(service, 1)
    leave(client)  # type: ignore[operator]
    until_active(service, 0)
    assert service.query("SELECT count(*) FROM t", token=tenant.token).rows == [{"count": 0}]


def test_a_detached_request_goes_on(service: Service) -> None:
    tenant = service.tenant()
    service.query("CREATE TABLE t (n bigint)", token=tenant.token)
    client = send(service, tenant, sql=f"INSERT INTO t SELECT {A_WHILE}", detached=True)
    until_active(service, 1)
    client.close()
    until_active(service, 0)
    assert service.query("SELECT n FROM t", token=tenant.token).rows == [{"n": 5000000}]


def test_who_has_closed_one_direction_only_gets_the_answer(service: Service) -> None:
    tenant = service.tenant()
    with closing(send(service, tenant, sql="SELECT 1 AS a")) as client:
        client.shutdown(socket.SHUT_WR)
        assert to_the_end(client).endswith(b'{"rows":[{"a":1}],"row_count":1}')
    with closing(send(service, tenant, sql=f"SELECT {LONG}")) as client:
        client.shutdown(socket.SHUT_WR)
        head, _, body = to_the_end(client).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["code"] == "BAD_REQUEST"


def test_an_administrators_cancel_is_no_timeout(service: Service) -> None:
    tenant = service.tenant()
    with closing(send(service, tenant, sql=f"SELECT {LONG}")) as client:
        until_active(service, 1)
        # One that comes while the statement is compiled (jit) is lost on PostgreSQL 15.
        for _ in range(20):
            service.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT count%100000%'"
            )
            if select.select([client], [], [], 0.5)[0]:
                break
        head, _, body = client.recv(65536).partition(b"\r\n\r\n")
        told = json.loads(body)
        assert head.startswith(b"HTTP/1.1 500 ")
        assert (told["code"], told["sqlstate"]) == ("DATABASE_ERROR", "57014"), told


def test_a_cancel_hits_nobody_else(conninfo: str) -> None:
    """On few connections, which each cancel is followed by a statement of somebody else's."""
    with a_service(conninfo, pool_size=4) as service:
        leaving, staying = service.tenant(), service.tenant()
        end = time.monotonic() + 4
        answers: Counter[str] = Counter()
        left = Counter[str]()

        def leave(number: int) -> None:
            while time.monotonic() < end:
                client = send(service, leaving, sql=f"SELECT {LONG}")
                time.sleep(0.01 * number)
                reset(client)
                left["all"] += 1
                # As many as there are slots, or the queue is full of them.
                time.sleep(0.5)

        def stay() -> None:
            while time.monotonic() < end:
                answers[
                    service.query("SELECT sum(a) FROM generate_series(1, 3000) AS a", token=staying.token).text
                ] += 1

        threads = [threading.Thread(target=leave, args=[number]) for number in range(8)]
        threads += [threading.Thread(target=stay) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) == {'{"rows":[{"sum":4501500}],"row_count":1}'}
        assert left["all"] > 10
        until_active(service, 0)
