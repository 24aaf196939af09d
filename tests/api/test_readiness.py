"""GET /health tells that the process lives, and with ?ready whether a query would be answered, and safely."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from support.background import in_threads
from support.databases import a_database
from support.loops import Server, connect, to_the_end
from support.service import Answer, Service, a_service

from postgate.access import readiness
from postgate.app import create_app
from postgate.config import Config
from postgate.metadata import migrate


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "AGE_S", 0.05)


def ready(service: Service, path: str = "/health?ready") -> Answer:
    time.sleep(readiness.AGE_S)
    return service.request("GET", path)


@pytest.mark.parametrize("path", ["/health?ready", "/health?ready=1", "/health?a=b&ready"])
def test_a_service_that_can_answer_is_ready(shared_service: Service, path: str) -> None:
    answer = shared_service.request("GET", path)
    assert (answer.status, answer.json) == (200, {"status": "ready"})
    assert shared_service.request("HEAD", path).status == 200


@pytest.mark.parametrize("path", ["/health", "/health?already", "/health?x=ready"])
def test_liveness_does_not_ask_the_database(path: str) -> None:
    app = create_app(Config(conninfo="host=127.0.0.1 port=1"))
    with app.test_client() as client:
        assert client.get(path).json == {"status": "ok"}
        answer = client.get("/health?ready")
    assert (answer.status_code, answer.json["code"], answer.json["reason"]) == (
        503,
        "UNAVAILABLE",
        "database_unreachable",
    )
    assert answer.headers["Retry-After"] == "1"


CLOSE = "SELECT postgate_internal.harden()"
OPENED = [
    (
        "event triggers",
        "ALTER EVENT TRIGGER postgate_check_definition DISABLE",
        "ALTER EVENT TRIGGER postgate_check_definition ENABLE",
    ),
    ("event triggers", "DROP EVENT TRIGGER postgate_check_bounds", CLOSE),
    ("functions", "GRANT EXECUTE ON FUNCTION query_to_xml TO PUBLIC", CLOSE),
    ("languages", "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC", CLOSE),
    ("schema public", "GRANT USAGE ON SCHEMA public TO PUBLIC", CLOSE),
    ("the catalog", "GRANT SELECT ON pg_class TO PUBLIC", CLOSE),
    ("functions, languages, schema public, the catalog", "SELECT postgate_internal.soften()", CLOSE),
]


def test_it_is_not_ready_while_the_wall_is_open(service: Service) -> None:
    with a_service(service.conninfo, allow_unprotected=True) as careless:
        for what, open_it, close_it in OPENED:
            service.execute(open_it)
            answer = ready(service)
            assert (answer.status, answer.code, answer.json["reason"]) == (503, "UNAVAILABLE", "walls_open"), open_it
            assert f"({what})" in answer.json["error"]
            assert ready(careless).json == {"status": "ready"}
            service.execute(close_it)
            assert ready(service).json == {"status": "ready"}, open_it


def test_it_is_not_ready_before_the_migration(server: str, conninfo: str) -> None:
    with a_database(server, "template0") as empty:
        app = create_app(Config(conninfo=empty))
        with app.test_client() as client:
            assert client.get("/health?ready").json["reason"] == "not_migrated"
        migrate.upgrade(empty, "0012")
        time.sleep(readiness.AGE_S)
        with app.test_client() as client:
            answer = client.get("/health?ready").json
        assert answer["reason"] == "not_migrated"
        assert "revision 0012" in answer["error"]
        app.extensions["postgate"].close()
    # A later version has migrated it: this one goes on beside its workers.
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE postgate_alembic_version SET version_num = '9999'")
    with a_service(conninfo) as service:
        assert ready(service).status == 200


def test_the_revision_is_the_newest() -> None:
    assert migrate.head() == readiness.REVISION


def test_all_who_ask_at_once_have_one_query(shared_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "AGE_S", 1.0)
    asked: list[float] = []
    assert shared_service.app is not None
    pools = shared_service.app.extensions["postgate"].pools
    query: Callable[..., Any] = pools.query

    def counting(*arguments: Any) -> Any:
        asked.append(time.monotonic())
        time.sleep(0.2)
        return query(*arguments)

    monkeypatch.setattr(pools, "query", counting)
    time.sleep(readiness.AGE_S)
    answers: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answers.append(shared_service.request("GET", "/health?ready").status)

    with in_threads([ask] * 5, stop):
        time.sleep(3)
    assert set(answers) == {200}
    assert len(answers) > 50
    assert 2 <= len(asked) <= 4


def test_it_is_not_ready_while_it_stops(conninfo: str) -> None:
    app = create_app(Config(conninfo=conninfo))
    server = Server(app, terms=app.terms)
    with connect(server.port) as client:
        client.sendall(b"GET /health?ready HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b'{"status":"ready"}' in client.recv(10_000)
        server.stop()
        time.sleep(0.2)
        client.sendall(b"GET /health?ready HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = to_the_end(client)
    assert answer.startswith(b"HTTP/1.1 503") and b'"reason":"draining"' in answer
    server.close()
    app.extensions["postgate"].close()


def test_a_database_that_goes_away_is_noticed(service: Service) -> None:
    with psycopg.connect(service.conninfo) as connection:
        name = connection.info.dbname
    assert ready(service).status == 200
    with psycopg.connect(service.conninfo, dbname="postgres", autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            assert ready(service).json["reason"] == "database_unreachable"
            assert service.request("GET", "/health").status == 200
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    deadline = time.monotonic() + 10
    while ready(service).status != 200:
        assert time.monotonic() < deadline
