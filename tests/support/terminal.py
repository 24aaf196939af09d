"""A program at a real terminal, as a person has it before them."""

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from support.processes import START_S, environment

_IN_A_SESSION = """
import fcntl, os, signal, sys, termios
# Whoever runs the tests in the background has it ignored, which is inherited.
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


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


@contextlib.contextmanager
def a_terminal(command: list[str], cwd: Path, **settings: str) -> Iterator[Terminal]:
    terminal = Terminal(command, cwd, **settings)
    try:
        yield terminal
    finally:
        terminal.close()
