"""postgate as a process, the way people start it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from support.secrets import SECRETS

START_S = 30.0
# gunicorn waits for the time of a statement, and some, for a worker whose start crosses with the signal to stop.
DEFAULTS = {"POSTGATE_STATEMENT_TIMEOUT": "10"}
# What is said is read by the tests as a person does.
LINES = {"POSTGATE_LOG_FORMAT": "text"}


def environment(**settings: str) -> dict[str, str]:
    """Ours without any setting of postgate's, and then these."""
    ours = re.compile("POSTGATE_|POSTGRES_|DATABASE_URL|MAX_BODY|FLASK_")
    return {key: value for key, value in os.environ.items() if not ours.match(key)} | LINES | settings


def execute(
    command: list[str], cwd: Path, typed: str | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with what is typed as its standard input."""
    return subprocess.run(
        command, cwd=cwd, env=environment(**settings), input=typed, capture_output=True, text=True, timeout=60
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server process in a session of its own, and what it has said."""

    def __init__(self, command: list[str], cwd: Path, port: int, **settings: str) -> None:
        self.port = port
        self.said = ""
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(**DEFAULTS | {"POSTGATE_PORT": str(port)} | settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def wait_until(self, condition: str) -> None:
        """Until it has said something, given as a regular expression."""
        deadline = time.monotonic() + START_S
        while not re.search(condition, self.said):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def healthy(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if client.makefile("rb").read().endswith(b'{"status":"ok"}'):
                    return
            time.sleep(0.05)

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """As a terminal does it: the signal goes to the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signum)
        return self.end()

    def end(self) -> int:
        """Its exit status, when it has ended by itself."""
        try:
            status = self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.said) from None
        self._reader.join(5)
        return status

    def close(self) -> None:
        self._reader.join(5)
        SECRETS.look(self.said)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def running(command: list[str], cwd: Path, port: int | None = None, **settings: str) -> Iterator[Process]:
    process = Process(command, cwd, port or free_port(), **settings)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.process.pid, signal.SIGKILL)
            process.process.wait()
        process.close()
