"""The service that the faults are for: one that is started here with a PostgreSQL of its own, or one by its URL."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg
from observer import Client
from support.paths import ROOT
from support.processes import Process, execute, free_port, running
from support.proxies import Proxy, a_proxy

from postgate import embedded

START_S = 60.0
ALL = "{SELECT,INSERT,UPDATE,DELETE,CREATE,ALTER,DROP}"
SERVE = [sys.executable, "-m", "postgate", "serve"]


class Tenant(NamedTuple):
    schema: str
    token: str


class Service(NamedTuple):
    """Where it is, a token of its administrator, and its database where that is known."""

    url: str
    admin: str
    conninfo: str = ""

    def tenant(self) -> Tenant:
        """A new one."""
        admin = Client(self.url, self.admin)
        (made,) = admin.rows("SELECT id, schema_name FROM create_tenant_database('fault')")
        return Tenant(made["schema_name"], self._token(admin, made["id"]))

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
def started() -> Iterator[Service]:
    """`postgate serve` from its first answer on, with an embedded PostgreSQL."""
    with tempfile.TemporaryDirectory() as directory, embedded.running(Path(directory) / "data") as conninfo:
        settings = _settings(conninfo, free_port())
        with running(SERVE, ROOT, int(settings["POSTGATE_PORT"]), **settings) as process:
            process.healthy()
            yield _service(settings, conninfo)


class Stand:
    """A service that may be broken: with a PostgreSQL of its own, and a network between them.

    Attributes:
        schema: of the tenant whose writes are accounted for.
    """

    def __init__(self, directory: str, proxy: Proxy, conninfo: str) -> None:
        self.proxy = proxy
        self.conninfo = conninfo
        self.schema = ""
        self._cluster = Path(directory) / "data" / "cluster"
        self._settings = _settings(proxy.conninfo, free_port()) | {"POSTGATE_WORKERS": "2"}
        self._process = _start(self._settings)
        self.service = _service(self._settings, conninfo)

    def writer(self) -> str:
        """A token of a new tenant with a table for numbers, which nothing keeps from having one twice."""
        self.schema, token = self.service.tenant()
        Client(self.service.url, token).rows("CREATE TABLE written (n bigint)")
        return token

    def master(self) -> int:
        return self._process.process.pid

    def workers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.master()).children()]

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
        self._process.process.send_signal(signum)
        self._process.process.wait()
        self._process.close()
        self._process = _start(self._settings)

    def close(self) -> None:
        self._process.stop()
        self._process.close()


@contextmanager
def breakable() -> Iterator[Stand]:
    with (
        tempfile.TemporaryDirectory() as directory,
        embedded.running(Path(directory) / "data") as conninfo,
        a_proxy(conninfo) as proxy,
        closing(Stand(directory, proxy, conninfo)) as stand,
    ):
        yield stand


def _settings(conninfo: str, port: int) -> dict[str, str]:
    """Those of who calls us, and ours."""
    given = {name: value for name, value in os.environ.items() if name.startswith("POSTGATE_")}
    return {"POSTGATE_STATEMENT_TIMEOUT": "30"} | given | {"DATABASE_URL": conninfo, "POSTGATE_PORT": str(port)}


def _start(settings: Mapping[str, str]) -> Process:
    process = Process(SERVE, ROOT, int(settings["POSTGATE_PORT"]), **settings)
    process.healthy()
    return process


def _service(settings: Mapping[str, str], conninfo: str) -> Service:
    command = [sys.executable, "-m", "postgate", "gen-token", "00000000-0000-0000-0000-000000000000"]
    made = execute(command, ROOT, **settings)
    return Service(f"http://127.0.0.1:{settings['POSTGATE_PORT']}", made.stdout.split()[-1], conninfo)
