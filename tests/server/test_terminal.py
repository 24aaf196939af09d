"""The start as a person sees it, at a real terminal."""

import contextlib
import os
import pty
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import a_directory
from support.processes import START_S, environment, free_port

SERVE = [sys.executable, "-m", "postgate", "serve"]


class Terminal:
    """A program with a terminal of its own, and what stands on the screen."""

    def __init__(self, command: list[str], cwd: Path, **settings: str) -> None:
        self.screen = ""
        self._ours, theirs = pty.openpty()
        # The session's leader, so that the terminal's Ctrl-C reaches all of it.
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_A_SESSION, *command],
            cwd=cwd,
            env=environment(**settings),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + START_S
        while text not in self.screen:
            assert time.monotonic() < deadline, self.screen
            assert self.read(), self.screen

    def read(self) -> bool:
        """Take what comes within a second; False at the end."""
        if not select.select([self._ours], [], [], 1)[0]:
            return True
        with contextlib.suppress(OSError):
            data = os.read(self._ours, 65536)
            self.screen += data.decode().replace("\r\n", "\n")
            return bool(data)
        return False

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def end(self) -> int:
        """Its exit status, when all that it has to say stands on the screen."""
        deadline = time.monotonic() + START_S
        while self.read():
            assert time.monotonic() < deadline, self.screen
        return self.process.wait(START_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


_IN_A_SESSION = """
import fcntl, os, signal, sys, termios
# Whoever runs the tests in the background has it ignored, which is inherited.
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with a_directory("postgate test-") as directory:
        yield directory


def test_the_last_line_says_how_to_stop_it_and_that_works(directory: Path) -> None:
    port = free_port()
    terminal = Terminal(SERVE, directory, POSTGATE_PORT=str(port))
    try:
        terminal.read_until("Ctrl-C stops it.\n")
        time.sleep(1)
        terminal.read()
        last = f"postgate listens on http://127.0.0.1:{port} with one worker; Ctrl-C stops it.\n"
        assert terminal.screen.replace("2 workers", "one worker").endswith(last), terminal.screen
        terminal.type(b"\x03")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.screen
        assert not (directory / "data" / "cluster" / "postmaster.pid").exists()
    finally:
        terminal.close()


def test_a_taken_port_is_told_at_once(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        terminal = Terminal(SERVE, directory, POSTGATE_PORT=str(other.getsockname()[1]))
        try:
            assert terminal.end() == 1
            assert terminal.screen.count("\n") == 1
            assert "is taken: " in terminal.screen
        finally:
            terminal.close()


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.6, 1.0, 1.5])
def test_an_interrupt_at_any_moment_is_clean(directory: Path, after_s: float) -> None:
    terminal = Terminal(SERVE, directory, POSTGATE_PORT=str(free_port()))
    try:
        terminal.read_until("PostgreSQL 18")
        time.sleep(after_s)
        terminal.type(b"\x03")
        assert terminal.end() in (0, 1, 130)
        assert "Traceback" not in terminal.screen, terminal.screen
        assert not (directory / "data" / "cluster" / "postmaster.pid").exists()
    finally:
        terminal.close()
