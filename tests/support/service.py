"""The service under test, over real HTTP: a client that keeps what came back as it came."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from flask import Flask

from postgate.app import create_app
from postgate.config import Config
from postgate.http.requests import Limits
from postgate.operations import DML, OPERATIONS
from support.background import in_threads
from support.loops import Server
from support.secrets import SECRETS

ADMIN = UUID(int=0)
ALL = OPERATIONS


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, of an error without the id of its request, which is the one in the header."""
        body = json.loads(self.text)
        if self.status != 200:
            assert body.pop("request_id") == self.headers["X-Request-ID"]
        return body

    @property
    def rows(self) -> list[dict[str, Any]]:
        assert self.status == 200, self.text
        return self.json["rows"]

    @property
    def code(self) -> str:
        assert set(self.json) >= {"error", "code"}, self.text
        return self.json["code"]


@dataclass(frozen=True)
class Tenant:
    id: str
    schema: str
    token: str


class Service:
    """A running service and the database behind it; without a token of its own a request has the admin's."""

    def __init__(self, port: int, conninfo: str, app: Flask | None = None) -> None:
        self.port = port
        self.conninfo = conninfo
        self.app = app
        self.admin = self.token(ADMIN, f"test {uuid4()}", ALL)

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}), encode_chunked=not isinstance(body, bytes))
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read().decode())
        finally:
            connection.close()

    def post(self, body: Any, token: str | None = None, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {token or self.admin}"} | headers
        return self.request("POST", "/query", body, given)

    def query(self, sql: str, *params: Any, token: str | None = None) -> Answer:
        SECRETS.send(sql, params)
        return self.post(json.dumps({"sql": sql, "params": params}).encode(), token)

    def execute(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """Straight on the database."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), params or None)
            return cursor.fetchall() if cursor.description else []

    def token(self, database: UUID | str, name: str = "test", operations: tuple[str, ...] = DML) -> str:
        create = "SELECT token FROM create_tenant_token(%s, %s, %s::text[])"
        return str(self.execute(create, str(database), name, list(operations))[0][0])

    def tenant(self, operations: tuple[str, ...] = ALL, max_rows: int = 1000) -> Tenant:
        ((database, schema),) = self.execute("SELECT * FROM create_tenant_database('tenant', %s)", max_rows)
        return Tenant(str(database), schema, self.token(database, operations=operations))

    def dedicated(self, conninfo: str, operations: tuple[str, ...] = ALL) -> Tenant:
        insert = """INSERT INTO postgate_databases (name, backend_type, connection_string)
            VALUES ('far', 'dedicated', %s) RETURNING id"""
        ((database,),) = self.execute(insert, conninfo)
        return Tenant(str(database), "public", self.token(database, operations=operations))


@contextmanager
def a_service(conninfo: str, **settings: Any) -> Iterator[Service]:
    """A service on this migrated database, in this process."""
    # So that a test's own log can have the statements; there is no other one in this process.
    config = Config(conninfo=conninfo, **({"log_statements": "all"} | settings))
    app = create_app(config)
    server = Server(app, threads=config.threads, limits=Limits(body_bytes=config.max_body_bytes), terms=app.terms)
    try:
        yield Service(server.port, conninfo, app)
    finally:
        server.close()
        app.extensions["postgate"].close()


def break_a_connection(service: Service) -> threading.Timer:
    """Have a connection of the shared pool end while it is written to, though a look at the socket does not show it.

    The timer that ends it has been started.
    """
    assert service.app is not None
    pools = service.app.extensions["postgate"].pools
    with pools.connection(pools.shared) as connection:
        ours, other = socket.socketpair()
        ours.setblocking(False)
        os.dup2(ours.fileno(), connection.fileno())
        ours.close()
    closing = threading.Timer(0.3, other.close)
    closing.start()
    return closing


def until_active(service: Service, count: int, like: str = "%generate_series%") -> None:
    """Return when so many statements like this run."""
    active = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
        AND query LIKE %s AND pid <> pg_backend_pid()"""
    deadline = time.monotonic() + 30
    while service.execute(active, like) != [(count,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_somebody_waits(service: Service) -> None:
    """Return when a statement waits for a lock."""
    waiting = """SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    deadline = time.monotonic() + 10
    while service.execute(waiting) == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def definitions_in_a_loop(service: Service, tenant: Tenant, *harmless: type[psycopg.Error]) -> Iterator[None]:
    """Three sessions alter the tenant's table t, whose column is a, all the time; harmless errors say nothing."""
    stop = threading.Event()

    def define() -> None:
        with psycopg.connect(service.conninfo, autocommit=True) as connection:
            while not stop.is_set():
                for change in ("ALTER COLUMN a SET DEFAULT 1", "SET (fillfactor = 90)"):
                    with suppress(*harmless):
                        connection.execute(f"ALTER TABLE {tenant.schema}.t {change}".encode())

    with in_threads([define] * 3, stop):
        yield
