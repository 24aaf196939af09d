"""The examples of a document: its blocks, and a shell in which they run one after the other as a reader pastes them."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from support.paths import ROOT
from support.processes import environment, free_port

_FENCE = re.compile(r"^```(\w+)?(?: ([\w./-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REQUEST_ID = re.compile(r'"request_id":"[0-9a-f]{24}"')
_WAIT_S = 60.0
# Where the machine has no curl: as much of it as the examples use.
_CURL = """#!{python}
import sys, urllib.error, urllib.request
url, data, headers, arguments = "", None, {{}}, iter(sys.argv[1:])
for argument in arguments:
    if argument == "-H":
        name, _, value = next(arguments).partition(": ")
        headers[name] = value
    elif argument == "-d":
        data = next(arguments).encode()
    elif not argument.startswith("-"):
        url = argument
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
try:
    answer = urllib.request.build_opener(Stay).open(urllib.request.Request(url, data, headers), timeout=60)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""


class Block(NamedTuple):
    """A fenced block of a document: its language, the word behind that, and its text."""

    language: str
    word: str
    text: str


def blocks(document: str) -> list[Block]:
    return [Block(*(part or "" for part in match)) for match in _FENCE.findall((ROOT / document).read_text())]


class Shell:
    """A shell in a directory that looks like a checkout; the ports of the examples are free ones there."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.ports = {"3000": str(free_port()), "8000": str(free_port())}
        for path in ROOT.iterdir():
            if path.name not in ("data", ".env", "build", "dist"):
                (directory / path.name).symlink_to(path)
        tools = directory / "tools"
        tools.mkdir()
        if shutil.which("curl") is None:
            (tools / "curl").write_text(_CURL.format(python=sys.executable))
            (tools / "curl").chmod(0o755)
        self._process = subprocess.Popen(
            ["sh"],
            cwd=directory,
            # Go keeps what it has built at home.
            env={"HOME": str(directory)}
            | environment(POSTGATE_PORT=self.ports["3000"], **settings)
            | {"PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def run(self, text: str) -> str:
        """What a block prints; in an error with the id of a request that the documents have."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self.translated(text)}\necho; echo --end--\n")
        self._process.stdin.flush()
        printed = ""
        while not printed.endswith("--end--\n"):
            line = self._process.stdout.readline()
            assert line, f"the shell has ended after {printed!r}"
            printed += line
        printed = _REQUEST_ID.sub('"request_id":"0f8c2d9a41e7b35c66d0a1f2"', printed)
        return printed.removesuffix("--end--\n").rstrip("\n")

    def start(self, text: str) -> None:
        """Run the one command of a block in the background, until it listens; `$STARTED` is its pid."""
        log = self.directory / f"server-{time.monotonic_ns()}.log"
        port = int(self.ports["8000" if "notes" in text else "3000"])
        self.run(f"{text.strip()} > {shlex.quote(str(log))} 2>&1 & STARTED=$!")
        deadline = time.monotonic() + _WAIT_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)

    def translated(self, text: str) -> str:
        """With the free ports in place of those of the example."""
        for port, free in self.ports.items():
            text = re.sub(rf"\b{port}\b", free, text)
        return text

    def close(self) -> None:
        """End the shell and what it has started."""
        deadline = time.monotonic() + _WAIT_S
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
            # The shell does not wait for those in the background.
            while time.monotonic() < deadline:
                self._process.poll()
                os.killpg(self._process.pid, 0)
                time.sleep(0.05)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def a_shell(directory: Path, **settings: str) -> Iterator[Shell]:
    """A shell that is ended, with what it has started."""
    shell = Shell(directory, **settings)
    try:
        yield shell
    finally:
        shell.close()
