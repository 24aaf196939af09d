"""The service that the faults are for: one that is started here with a PostgreSQL of its own, or one by its URL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil
import psycopg
from observer import Client
from support.proxies import Proxy, a_proxy

from postgate import embedded

ROOT = Path(__file__).parent.parent.parent
START_S = 60.0
ALL = "{SELECT,INSERT,UPDATE,DELETE,CREATE,ALTER,DROP}"


class Service(NamedTuple):
    """Where it is, a token of its administrator, and its database where that is known."""

    url: str
    admin: str
    conninfo: str = ""

    def tenant(self) -> str:
        """A token of a new tenant."""
        admin = Client(self.url, self.admin)
        ((database,),) = [
            tuple(row.values())[:1] for row in admin.rows("SELECT * FROM create_tenant_database('fault')")
        ]
        return self._token(admin, database)

    def dedicated(self, conninfo: str) -> str:
        """A token of a new database that is elsewhere."""
        admin = Client(self.url, self.admin)
        insert = """INSERT INTO postgate_databases (name, backend_type, connection_string)
            VALUES ('fault', 'dedicated', $1) RETURNING id"""
        return self._token(admin, admin.rows(insert, conninfo)[0]["id"])

    def _token(self, admin: Client, database: str) -> str:
        create = "SELECT token FROM create_tenant_token($1::uuid, 'fault', $2::text[])"
        return str(admin.rows(create, database, ALL)[0]["token"])


@contextmanager
def started(**settings: str) -> Iterator[Service]:
    """`postgate serve` from its first answer on, with an embedded PostgreSQL."""
    with (
        tempfile.TemporaryDirectory() as directory,
        tempfile.TemporaryFile() as said,
        embedded.running(Path(directory) / "data") as conninfo,
    ):
        port = free_port()
        environment = _environment(conninfo, directory, port, settings)
        process = _start(environment, port, said)
        try:
            yield Service(f"http://127.0.0.1:{port}", _admin_token(environment), conninfo)
        except Exception:
            _show(said)
            raise
        finally:
            process.terminate()
            process.wait()


class Stand:
    """A service that may be broken: with a PostgreSQL of its own, and a network between them.

    Attributes:
        schema: of the tenant whose writes are accounted for.
    """

    def __init__(self, directory: str, said: IO[bytes], proxy: Proxy, conninfo: str) -> None:
        self.proxy = proxy
        self.conninfo = conninfo
        self.schema = ""
        self._said = said
        self._cluster = Path(directory) / "data" / "cluster"
        self._port = free_port()
        self._environment = _environment(proxy.conninfo, directory, self._port, {"POSTGATE_WORKERS": "2"})
        self._process = _start(self._environment, self._port, said)
        self.service = Service(f"http://127.0.0.1:{self._port}", _admin_token(self._environment))

    def writer(self) -> str:
        """A token of a new tenant with a table for numbers, which nothing keeps from having one twice."""
        token = self.service.tenant()
        client = Client(self.service.url, token)
        client.rows("CREATE TABLE written (n bigint)")
        with psycopg.connect(self.conninfo) as connection:
            last = "SELECT schema_name FROM postgate_databases ORDER BY created_at DESC LIMIT 1"
            ((self.schema,),) = connection.execute(last).fetchall()
        return token

    def master(self) -> int:
        return self._process.pid

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self._process.pid).children()]

    def postmaster(self) -> int:
        return int((self._cluster / "postmaster.pid").read_text().split()[0])

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
        self._process.send_signal(signum)
        self._process.wait()
        self._process = _start(self._environment, self._port, self._said)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def breakable() -> Iterator[Stand]:
    with (
        tempfile.TemporaryDirectory() as directory,
        tempfile.TemporaryFile() as said,
        embedded.running(Path(directory) / "data") as conninfo,
        a_proxy(conninfo) as proxy,
    ):
        stand = Stand(directory, said, proxy, conninfo)
        try:
            yield stand
        except Exception:
            _show(said)
            raise
        finally:
            stand.close()


def _environment(conninfo: str, directory: str, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    ours = {"POSTGATE_PORT": str(port), "POSTGATE_DATA_DIR": directory + "/data", "DATABASE_URL": conninfo}
    return {**os.environ, **ours, **settings}


def _start(environment: Mapping[str, str], port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "postgate", "serve"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    _wait(process, port)
    return process


def _admin_token(environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "postgate", "gen-token", "00000000-0000-0000-0000-000000000000"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True)
    return made.stdout.split()[-1]


def _show(said: IO[bytes]) -> None:
    said.seek(0)
    sys.stderr.write(said.read().decode()[-3000:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the service does not start")
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
            return
        time.sleep(0.1)
