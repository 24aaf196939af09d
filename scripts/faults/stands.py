"""Services that may be broken: with a PostgreSQL of their own, and what stands between them, beside them or under them.

Each of them is made anew and used up by its faults.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from observer import Client
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sides import SERVE, service_at, serving_settings
from support.paths import ROOT, a_directory
from support.processes import Process, free_port, running
from support.proxies import Proxy, a_proxy

from postgate import embedded
from postgate.embedded.cluster import NAME, Cluster

START_S = 60.0
SMALL_DISK_MB = 400


class Missing(Exception):
    """What a stand needs is not on this machine; the text names it."""


class Stand:
    """A service, and the PostgreSQL behind it.

    Attributes:
        conninfo: of the database that has the writes, for whoever accounts for them.
        served: DATABASE_URL of the service.
        schema, token: of the tenant whose writes are accounted for.
    """

    def __init__(self, cluster: Cluster, served: str | None = None, directory: Path = ROOT, workers: int = 2) -> None:
        """
        Args:
            directory: the checkout whose version is served.
        """
        self.cluster = cluster
        self.conninfo = cluster.conninfo(NAME)
        self.served = served or self.conninfo
        self.schema = self.token = ""
        self._directory = directory
        self._settings = serving_settings(self.served, free_port()) | {"POSTGATE_WORKERS": str(workers)}
        self._process = self._start()
        self.service = service_at(self._settings, self.conninfo, directory)

    def _start(self) -> Process:
        process = Process(SERVE, self._directory, int(self._settings["POSTGATE_PORT"]), **self._settings)
        process.healthy()
        return process

    def make_writer(self) -> None:
        """A new tenant with a table for numbers, which nothing keeps from having one twice."""
        self.schema, self.token = self.service.tenant()
        Client(self.service.url, self.token).rows("CREATE TABLE written (n bigint)")

    def master(self) -> int:
        return self._process.process.pid

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.master()).children()]

    def postmaster(self) -> int:
        pid = self.cluster.postmaster()
        if pid is None:
            raise RuntimeError("PostgreSQL does not run")
        return pid

    def until_postgresql_runs(self) -> None:
        """Until what watches it has started it again."""
        before = time.monotonic()
        time.sleep(0.5)
        while time.monotonic() < before + START_S:
            with suppress(psycopg.Error):
                psycopg.connect(self.conninfo, connect_timeout=2).close()
                return
            time.sleep(0.05)

    def restart(self, signum: signal.Signals) -> None:
        """End the service's master, and start another one on the same port."""
        self._process.process.send_signal(signum)
        self._process.process.wait()
        self._process.close()
        self._process = self._start()

    def close(self) -> None:
        self._process.stop()
        self._process.close()


class Proxied(Stand):
    """With a network to PostgreSQL that can be cut."""

    def __init__(self, cluster: Cluster, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(cluster, proxy.conninfo)


class Pooled(Stand):
    """Behind a PgBouncer in transaction mode."""

    def __init__(self, cluster: Cluster, bouncer: Bouncer) -> None:
        self.bouncer = bouncer
        super().__init__(cluster, bouncer.conninfo)


class Replicated(Stand):
    """On a primary that waits for its standby at each commit."""

    def __init__(self, primary: Cluster, standby: Cluster) -> None:
        ends = [conninfo_to_dict(one.conninfo(NAME)) for one in (primary, standby)]
        both = {key: ",".join(str(end[key]) for end in ends) for key in ("host", "port")}
        self.standby = standby
        super().__init__(primary, make_conninfo(primary.conninfo(NAME), **both, target_session_attrs="read-write"))

    def promote(self) -> None:
        self.cluster = self.standby
        self.conninfo = self.standby.conninfo(NAME)
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")


class Bouncer:
    """PgBouncer, on a port of its own."""

    def __init__(self, conninfo: str, cluster: Cluster, directory: Path, login_retry_s: int) -> None:
        binary = shutil.which("pgbouncer")
        if binary is None:
            raise Missing("pgbouncer")
        server = conninfo_to_dict(conninfo)
        self._account = cluster.account
        self._directory = directory / "pgbouncer"
        self._directory.mkdir()
        self._port = free_port()
        login = f"user={server['user']} dbname={server['dbname']}"
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self._port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "max_client_conn": 500,
            "default_pool_size": 40,
            "server_login_retry": login_retry_s,
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        config = self._directory / "pgbouncer.ini"
        config.write_text(
            "\n".join(
                [f"[databases]\n{NAME} = host={server['host']} port={server['port']} {login}", "[pgbouncer]", *lines]
            )
        )
        self._account.own(self._directory)
        self._command = [binary, str(config)]
        self._log = (self._directory / "log").open("wb")
        self._process = self._start()

    @property
    def conninfo(self) -> str:
        return make_conninfo("", host="127.0.0.1", port=self._port, user=NAME, dbname=NAME)

    def _start(self) -> subprocess.Popen[bytes]:
        process = self._account.spawn(self._command, self._directory, self._log)
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.conninfo, connect_timeout=5).close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return process

    def restart(self) -> None:
        """As after a crash."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@contextmanager
def proxied() -> Iterator[Stand]:
    with _embedded() as cluster, a_proxy(cluster.conninfo(NAME)) as proxy, _closing(Proxied(cluster, proxy)) as stand:
        yield stand


@contextmanager
def pooled(login_retry_s: int = 1) -> Iterator[Stand]:
    with _embedded() as cluster, ExitStack() as stack:
        bouncer = Bouncer(cluster.conninfo(NAME), cluster, cluster.data_dir, login_retry_s)
        stack.callback(bouncer.close)
        yield stack.enter_context(_closing(Pooled(cluster, bouncer)))


@contextmanager
def pooled_as_it_comes() -> Iterator[Stand]:
    """With the server_login_retry that PgBouncer has by default."""
    with pooled(15) as stand:
        yield stand


@contextmanager
def replicated() -> Iterator[Stand]:
    """The primary is not started again when it dies."""
    with a_directory() as directory, ExitStack() as stack:
        primary, standby = (Cluster(directory / name, durable=True) for name in ("primary", "standby"))
        primary.start()
        stack.callback(primary.stop)
        standby.account.own(standby.data_dir)
        copy: list[str | Path] = [primary.binaries / "pg_basebackup", "-D", standby.cluster, "-R", "-c", "fast"]
        made = standby.account.run([*copy, "-d", primary.conninfo("postgres")], standby.data_dir)
        if made.returncode:
            raise RuntimeError(made.stderr.decode())
        standby.start()
        stack.callback(standby.stop)
        with psycopg.connect(primary.conninfo("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        yield stack.enter_context(_closing(Replicated(primary, standby)))


@contextmanager
def on_a_small_disk() -> Iterator[Stand]:
    """Data and log of PostgreSQL on a file system of their own."""
    with a_directory() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MB}m,mode=711", "faults", str(directory)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            raise Missing("the right to mount a file system")
        try:
            with embedded.running(directory / "data"), _closing(Stand(_cluster(directory))) as stand:
                yield stand
        finally:
            subprocess.run(["umount", "-l", str(directory)], check=True)


@contextmanager
def of_an_older_version() -> Iterator[Stand]:
    """Served by what was there before the latest revision of the database's schema."""
    with a_directory() as directory, _embedded() as cluster:
        older = directory / "older"
        revision = _git("log", "-1", "--format=%H^", "--", "alembic/versions")
        _git("worktree", "add", "--detach", str(older), revision)
        try:
            with _closing(Stand(cluster, directory=older)) as stand:
                yield stand
        finally:
            _git("worktree", "remove", "--force", str(older))


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Missing(f"a git checkout with its history: {ran.stderr.strip()}")
    return ran.stdout.strip()


@contextmanager
def _embedded() -> Iterator[Cluster]:
    with a_directory() as directory, embedded.running(directory / "data"):
        yield _cluster(directory)


def _cluster(directory: Path) -> Cluster:
    """The one that runs there."""
    return Cluster(directory / "data", durable=True)


@contextmanager
def _closing(stand: Stand) -> Iterator[Stand]:
    try:
        yield stand
    finally:
        stand.close()


@contextmanager
def another(stand: Stand, conninfo: str | None = None) -> Iterator[Process]:
    """One more service of this version, on another port; it may still be starting."""
    settings = serving_settings(conninfo or stand.served, free_port()) | {"POSTGATE_WORKERS": "1"}
    with running(SERVE, ROOT, int(settings["POSTGATE_PORT"]), **settings) as process:
        yield process
        process.stop()
