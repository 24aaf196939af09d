"""The start as a person sees it, at a real terminal."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import a_directory
from support.processes import execute, free_port
from support.terminal import a_terminal

SERVE = [sys.executable, "-m", "postgate", "serve"]


@pytest.fixture
def directory() -> Iterator[Path]:
    with a_directory("postgate test-") as directory:
        yield directory


def test_the_last_line_says_how_to_stop_it_and_that_works(directory: Path) -> None:
    port = free_port()
    with a_terminal(SERVE, directory, POSTGATE_PORT=str(port)) as terminal:
        terminal.read_until("Ctrl-C stops it.\n")
        time.sleep(1)
        terminal.read()
        last = f"postgate listens on http://127.0.0.1:{port} with one worker; Ctrl-C stops it.\n"
        assert terminal.screen.replace("2 workers", "one worker").endswith(last), terminal.screen
        terminal.type(b"\x03")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.screen
        assert not (directory / "data" / "cluster" / "postmaster.pid").exists()


def test_a_taken_port_is_told_at_once(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with a_terminal(SERVE, directory, POSTGATE_PORT=str(other.getsockname()[1])) as terminal:
            assert terminal.end() == 1
            assert terminal.screen.count("\n") == 1
            assert "is taken: " in terminal.screen


END = """
import signal, sys
from postgate.server.signals import end_on_signals
for signum in (signal.SIGINT, signal.SIGHUP):
    signal.signal(signum, getattr(signal, sys.argv[1]))
end_on_signals()
exec(sys.argv[2])
"""
INTERRUPTED = "signal.raise_signal(signal.SIGINT)"


@pytest.mark.parametrize(
    ("before", "code", "status"),
    [
        ("default_int_handler", INTERRUPTED, 130),
        ("SIG_IGN", INTERRUPTED, 0),
        ("SIG_DFL", "signal.raise_signal(signal.SIGTERM)", 143),
        ("SIG_DFL", "signal.raise_signal(signal.SIGHUP)", 129),
        ("SIG_IGN", "signal.raise_signal(signal.SIGHUP)", 0),
    ],
)
def test_the_status_tells_the_signal_where_code_is_made_from_text_too(
    directory: Path, before: str, code: str, status: int
) -> None:
    done = execute([sys.executable, "-c", END, before, code], directory)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.6, 1.0, 1.5])
def test_an_interrupt_at_any_moment_is_clean(directory: Path, after_s: float) -> None:
    with a_terminal(SERVE, directory, POSTGATE_PORT=str(free_port())) as terminal:
        terminal.read_until("PostgreSQL 18")
        time.sleep(after_s)
        terminal.type(b"\x03")
        assert terminal.end() in (0, 130)
        assert "Traceback" not in terminal.screen, terminal.screen
        assert not (directory / "data" / "cluster" / "postmaster.pid").exists()
