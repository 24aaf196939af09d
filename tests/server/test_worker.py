"""gunicorn's worker of ours: signals, reloads, hooks and logs are gunicorn's, and nobody is turned away meanwhile."""

import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.loops import connect, exchange, to_the_end
from support.processes import Process, execute, free_port, running

APPLICATION = """
import os, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
    start_response("200 OK", [("Content-Length", str(len(str(os.getpid()))))])
    return [str(os.getpid()).encode()]
"""
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def command(directory: Path, port: int, conf: str) -> list[str]:
    (directory / "application.py").write_text(APPLICATION)
    (directory / "conf.py").write_text(f"""
bind = "127.0.0.1:{port}"
worker_class = "postgate.http.worker.Worker"
threads = 4
graceful_timeout = 10
control_socket_disable = True
{conf}
""")
    return [sys.executable, "-m", "gunicorn", "-c", "conf.py", "application:app"]


@contextmanager
def started(directory: Path, conf: str = "") -> Iterator[Process]:
    port = free_port()
    with running(command(directory, port, conf), directory, port) as process:
        deadline = time.monotonic() + 10
        while True:
            try:
                exchange(port, GET)
                break
            except OSError:
                assert time.monotonic() < deadline, process.said
        yield process


class Load:
    """Clients that ask again and again, on connections of their own and on kept ones, and note each failure."""

    def __init__(self, port: int) -> None:
        self.failures: list[str] = []
        self.pids: set[bytes] = set()
        self.answers = 0
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=[kept]) for kept in (True, False) * 3]
        for thread in self._threads:
            thread.start()

    def _ask(self, kept: bool) -> None:
        while not self._over.is_set():
            try:
                if kept:
                    self._ask_often()
                else:
                    self._note(exchange(self._port, GET))
            except OSError as error:
                self.failures.append(repr(error))

    def _ask_often(self) -> None:
        with connect(self._port) as client:
            while not self._over.is_set():
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = client.recv(1000)
                self._note(answer)
                if b"\r\nConnection: close\r\n" in answer or not answer:
                    return

    def _note(self, answer: bytes) -> None:
        self.answers += 1
        if not answer.startswith(b"HTTP/1.1 200"):
            self.failures.append(f"{answer!r}")
        self.pids.add(answer.rpartition(b"\r\n")[2])

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_a_reload_under_load_turns_nobody_away(tmp_path: Path) -> None:
    with started(tmp_path, "workers = 2") as process:
        load = Load(process.port)
        for _ in range(3):
            time.sleep(0.5)
            process.process.send_signal(signal.SIGHUP)
            time.sleep(1)
        load.end()
        assert load.failures == []
        assert len(load.pids) >= 6
        assert load.answers > 100
        assert process.stop() == 0


def test_a_worker_makes_place_after_its_requests(tmp_path: Path) -> None:
    with started(tmp_path, "max_requests = 50") as process:
        load = Load(process.port)
        time.sleep(3)
        load.end()
        assert load.failures == []
        assert len(load.pids) > 2
        assert "has had its 50 requests" in process.said


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    with started(tmp_path) as process, connect(process.port) as client:
        client.sendall(GET.replace(b"/", b"/slow", 1))
        time.sleep(0.3)
        process.process.send_signal(signal.SIGTERM)
        assert to_the_end(client).startswith(b"HTTP/1.1 200")
        assert process.end() == 0


def test_hooks_and_the_access_log(tmp_path: Path) -> None:
    conf = """
accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s %(b)s %({user-agent}i)s %({content-length}o)s'
def pre_request(worker, request):
    worker.log.info("begins %s %s", request.method, request.path)
def post_request(worker, request, environ, response):
    worker.log.info("ends %s %s", environ["PATH_INFO"], response.status)
def worker_exit(server, worker):
    server.log.info("worker_exit was called")
"""
    with started(tmp_path, conf) as process:
        pid = exchange(
            process.port, GET.replace(b"/", b"/path?query", 1).replace(b"Host", b"User-Agent: me\r\nHost")
        ).rpartition(b"\r\n")[2]
        assert process.stop() == 0
    assert "begins GET /path\n" in process.said
    assert "ends /path 200 OK\n" in process.said
    assert "worker_exit was called" in process.said
    assert f'127.0.0.1 "GET /path?query HTTP/1.1" 200 {len(pid)} me {len(pid)}\n' in process.said


@pytest.mark.parametrize("conf", ['certfile = "a.pem"\nkeyfile = "a.pem"', "proxy_protocol = True"])
def test_what_it_does_not_speak_ends_it_with_a_line(tmp_path: Path, conf: str) -> None:
    (tmp_path / "a.pem").write_text("")
    ended = execute(command(tmp_path, free_port(), conf), tmp_path)
    assert ended.returncode == 1
    assert "use worker_class gthread" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_socket_with_a_path(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with started(tmp_path, f'bind = [bind, "unix:{path}"]'), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(GET)
        assert to_the_end(client).startswith(b"HTTP/1.1 200")
