"""The service as a process: `postgate serve`, gunicorn on its own, other WSGI servers; start, first steps and stop."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from psycopg.conninfo import make_conninfo
from support.paths import ROOT, a_directory
from support.processes import START_S, execute, free_port, running
from support.service import Service, until_active

from postgate.embedded.cluster import Cluster
from postgate.metadata import migrate


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Where an embedded database may live, under a path with a space."""
    with a_directory("postgate test-") as directory:
        yield directory / "data"


def ask(port: int) -> int:
    """The status that an unknown token gets."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.request("POST", "/query", b'{"sql": "SELECT 1"}', {"Authorization": "pg_" + "0" * 64})
        return client.getresponse().status
    finally:
        client.close()


SERVE = [sys.executable, "-m", "postgate", "serve"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--workers", "3", "postgate.wsgi:app"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_run_with_the_embedded_database(data_dir: Path, signum: signal.Signals) -> None:
    with running(SERVE, data_dir.parent, POSTGATE_DATA_DIR=str(data_dir), POSTGATE_WORKERS="2") as served:
        served.healthy()
        served.wait_until("asks the first question")
        served.wait_until("Ctrl-C stops it")
        made, started, migrated, *_, last = served.said.splitlines()
        assert re.fullmatch(rf"Creating a cluster of PostgreSQL 18\.\d+ in {data_dir}", made)
        assert re.fullmatch(rf"Starting PostgreSQL 18\.\d+ in {data_dir}", started)
        assert migrated == f"Migrating the database to revision {migrate.head()}"
        assert last == f"postgate listens on http://127.0.0.1:{served.port} with 2 workers; Ctrl-C stops it."
        token, question = re.findall(r"^  (TOKEN=.*|curl .*)$", served.said, re.MULTILINE)
        if shutil.which("curl") is not None:
            # Pasted, and pasted once more.
            for _ in range(2):
                asked = execute(["sh", "-c", f"{token}\n{question}\n{question}"], Path("/"))
                assert asked.stdout == 2 * (
                    '{"rows":[{"id":"00000000-0000-0000-0000-000000000000","name":"postgate_admin","max_rows":1000}],'
                    '"row_count":1}'
                ), asked
        assert served.stop(signum) == 0, served.said
        assert "Traceback" not in served.said
        assert not list(data_dir.rglob("postmaster.pid"))


def test_a_later_start_says_nothing_of_first_steps(conninfo: str, tmp_path: Path) -> None:
    with running(SERVE, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as served:
        served.wait_until("There is no token yet")
        served.healthy()
        service = Service(served.port, conninfo)
        assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
        assert served.stop() == 0
    with running(SERVE, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as served:
        served.healthy()
        served.wait_until("Ctrl-C stops it")
        assert re.fullmatch(r"Database: .*, PostgreSQL \d+[.\d]*\npostgate listens .*\n", served.said)


@pytest.mark.parametrize("command", [SERVE, GUNICORN])
def test_a_port_that_is_taken_is_told_before_anything_is_made(command: list[str], data_dir: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with running(command, ROOT, port, POSTGATE_DATA_DIR=str(data_dir)) as served:
            assert served.end() == 1
            assert served.said.endswith(
                f"Error: port {port} is taken: something listens on 127.0.0.1:{port} already; name another by --port or"
                " POSTGATE_PORT\n"
            )
            assert "Connection in use" not in served.said
            assert not data_dir.exists()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "cannot listen on 192.0.2.1:"),
        ("nowhere.invalid", "cannot listen on nowhere.invalid:"),
        ("2001:db8::1", r"cannot listen on \[2001:db8::1\]:"),
    ],
)
def test_an_address_that_is_not_ours(host: str, reason: str, data_dir: Path, tmp_path: Path) -> None:
    with running(SERVE, tmp_path, POSTGATE_DATA_DIR=str(data_dir), POSTGATE_HOST=host) as served:
        assert served.end() == 1
        assert re.fullmatch(f"Error: {reason}.*POSTGATE_HOST\n", served.said)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_gunicorn_on_its_own(empty: str, signum: signal.Signals) -> None:
    with running(GUNICORN, ROOT, DATABASE_URL=empty) as served:
        served.healthy()
        assert migrate.current(empty) == migrate.head()
        service = Service(served.port, empty)
        for _ in range(20):
            assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
        # Sent to its end before the answer is read, as most clients do.
        too_large = service.post(b'{"sql": "%b"}' % (b"x" * 25_000_000))
        assert (too_large.status, too_large.code) == (413, "BODY_TOO_LARGE")
        assert served.stop(signum) == 0, served.said
        assert "Traceback" not in served.said


def test_gunicorn_with_the_embedded_database(data_dir: Path) -> None:
    with running(GUNICORN, ROOT, POSTGATE_DATA_DIR=str(data_dir)) as served:
        served.healthy()
        served.wait_until("There is no token yet")
        assert served.stop() == 0
        assert not list(data_dir.rglob("postmaster.pid"))


def test_workers_that_start_at_once_migrate_once(empty: str, tmp_path: Path) -> None:
    """Without our gunicorn.conf.py each worker makes its database ready itself."""
    command = [sys.executable, "-m", "gunicorn", "-c", "/dev/null", "-w", "4", "--no-control-socket"]
    port = free_port()
    with running([*command, "-b", f"127.0.0.1:{port}", "postgate.wsgi:app"], ROOT, port, DATABASE_URL=empty) as served:
        served.healthy()
        service = Service(port, empty)
        for _ in range(20):
            assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
        assert "cannot be migrated" not in served.said


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_request_that_runs_is_finished_before_the_end(conninfo: str, tmp_path: Path, signum: signal.Signals) -> None:
    with running(SERVE, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as served:
        served.healthy()
        service = Service(served.port, conninfo)
        sql = "SELECT count(*) FROM generate_series(1, 3000) AS a, generate_series(1, 3000) AS b"
        statuses: list[int] = []
        asking = threading.Thread(target=lambda: statuses.append(service.query(sql).status))
        asking.start()
        time.sleep(0.3)
        assert served.stop(signum) == 0
        asking.join()
        assert statuses == [200]


def test_the_embedded_database_is_started_again(data_dir: Path) -> None:
    with running(SERVE, data_dir.parent, POSTGATE_DATA_DIR=str(data_dir), POSTGATE_WORKERS="2") as served:
        served.healthy()
        cluster = Cluster(data_dir, durable=True)
        service = Service(served.port, cluster.conninfo("postgate"))
        assert service.query("CREATE TABLE kept AS SELECT 1 AS a").status == 200
        for signum in (signal.SIGKILL, signal.SIGQUIT):
            pid = cluster.postmaster()
            assert pid is not None
            os.kill(pid, signum)
            deadline = time.monotonic() + START_S
            # A session of the old one may still answer for a moment.
            while cluster.postmaster() in (None, pid) or service.query("SELECT a FROM kept").status != 200:
                assert time.monotonic() < deadline, served.said
                time.sleep(0.1)
        assert "is started again" in served.said
        assert served.stop() == 0
        assert "Traceback" not in served.said
        assert cluster.postmaster() is None


def test_a_killed_master_leaves_the_port_free(conninfo: str, tmp_path: Path) -> None:
    """Though a statement goes on in one of its workers."""
    port = free_port()
    with running(SERVE, tmp_path, port, DATABASE_URL=conninfo, POSTGATE_WORKERS="2") as served:
        served.healthy()
        service = Service(port, conninfo)
        statuses: list[int] = []
        sql = "SELECT count(*) FROM generate_series(1, 5000) AS a, generate_series(1, 5000) AS b"
        asking = threading.Thread(target=lambda: statuses.append(service.query(sql).status))
        asking.start()
        until_active(service, 1)
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        with running(SERVE, tmp_path, port, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as again:
            # The workers of the killed one answer until they notice.
            again.wait_until("Ctrl-C stops it")
            again.healthy()
            assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
            asking.join()
            assert statuses == [200]


def test_it_waits_for_a_database_that_is_not_up_yet(data_dir: Path, tmp_path: Path) -> None:
    cluster = Cluster(data_dir, durable=False)
    cluster.start()
    conninfo = cluster.conninfo("postgate")
    cluster.stop()
    try:
        with running(SERVE, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as served:
            served.wait_until("waiting for PostgreSQL: connection ")
            # Two more tries.
            time.sleep(2)
            assert served.said.count("\n") == 1
            cluster.start()
            served.healthy()
            assert served.stop() == 0
    finally:
        cluster.stop()


def test_other_servers_answer_503_while_the_database_is_down(data_dir: Path, tmp_path: Path) -> None:
    cluster = Cluster(data_dir, durable=False)
    cluster.start()
    conninfo = cluster.conninfo("postgate")
    cluster.stop()
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "postgate.wsgi:app", "run", "-p", str(port)]
    try:
        with running(command, tmp_path, port, DATABASE_URL=conninfo) as served:
            served.healthy()
            assert ask(port) == 503
            cluster.start()
            deadline = time.monotonic() + START_S
            # The token is unknown, which only a migrated database can say.
            while ask(port) != 401:
                assert time.monotonic() < deadline, served.said
                time.sleep(0.1)
    finally:
        cluster.stop()


@pytest.mark.parametrize("command", [SERVE, GUNICORN], ids=["serve", "gunicorn"])
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"POSTGATE_THREADS": "x"}, "POSTGATE_THREADS takes a whole number"),
        ({"DATABASE_URL": "postgresql://postgres:s3cret@word@host/db"}, "DATABASE_URL takes"),
        ({"DATABASE_URL": "host=127.0.0.1 password=s3cret sslmode=x"}, "invalid sslmode value"),
    ],
)
def test_a_wrong_setting_ends_it_with_one_line(command: list[str], settings: dict[str, str], reason: str) -> None:
    with running(command, ROOT, **({"DATABASE_URL": "host=127.0.0.1"} | settings)) as served:
        assert served.end() == 1
        assert re.search(rf"Error: .*({reason})", served.said), served.said
        assert "Traceback" not in served.said
        assert "s3cret" not in served.said


def test_a_database_that_cannot_be_used_ends_it_with_one_line(server: str, tmp_path: Path) -> None:
    conninfo = make_conninfo(server, dbname="there_is_no_such", password="s3cret")  # noqa: S106
    for command, cwd in ((SERVE, tmp_path), (GUNICORN, ROOT)):
        with running(command, cwd, DATABASE_URL=conninfo) as served:
            assert served.end() == 1
            assert re.search("Error: cannot use the database: .*there_is_no_such", served.said), served.said
            assert "Traceback" not in served.said
            assert "s3cret" not in served.said


def test_a_taken_port_ends_it_and_the_embedded_database(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with running(SERVE, data_dir.parent, port, POSTGATE_DATA_DIR=str(data_dir)) as served:
            assert served.end() == 1
            assert not list(data_dir.rglob("postmaster.pid"))


def test_a_body_in_broken_chunks_is_the_clients_mistake(conninfo: str, tmp_path: Path) -> None:
    broken = (
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"5;x\x00y\r\nhello\r\n0\r\n\r\n",
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"-5\r\nhello\r\n",
        b"0\r\nno trailer\r\n\r\n",
    )
    with running(SERVE, tmp_path, DATABASE_URL=conninfo, POSTGATE_WORKERS="1") as served:
        served.healthy()
        service = Service(served.port, conninfo)
        head = (
            f"POST /query HTTP/1.1\r\nHost: x\r\nAuthorization: {service.admin}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for chunks in broken:
            with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
                client.sendall(head.encode() + chunks)
                answer = b""
                # The connection ends, because nobody knows where the next request begins.
                while more := client.recv(65536):
                    answer += more
            assert answer.startswith(b"HTTP/1.1 400 "), (chunks, answer)
            assert b'"code":"BAD_REQUEST"' in answer
        assert service.query("SELECT 1 AS a").rows == [{"a": 1}]
        assert "Traceback" not in served.said and "Error" not in served.said


@pytest.mark.parametrize("pinned", ["true", "false"])
def test_each_worker_has_a_processor_of_its_own(conninfo: str, tmp_path: Path, pinned: str) -> None:
    processors = os.sched_getaffinity(0)
    settings = {"POSTGATE_WORKERS": str(len(processors)), "POSTGATE_PIN_WORKERS": pinned}
    with running(SERVE, tmp_path, DATABASE_URL=conninfo, **settings) as served:
        served.healthy()

        def workers() -> list[psutil.Process]:
            return psutil.Process(served.process.pid).children()

        def settled() -> bool:
            spread = sorted(tuple(worker.cpu_affinity()) for worker in workers())
            expected = (
                [(processor,) for processor in processors] if pinned == "true" else [tuple(processors)] * len(spread)
            )
            return len(spread) == len(processors) and spread == sorted(expected)

        for _ in range(3):
            wait_until(settled)
            # The one that comes in its place takes the processor that has become free.
            killed = workers()[-1]
            killed.kill()
            # Until the master has noticed, it is still its child.
            wait_until(lambda killed=killed: killed not in workers() and len(workers()) == len(processors))
        assert psutil.Process(served.process.pid).cpu_affinity() == sorted(processors)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(psutil.NoSuchProcess):
            if condition():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)
