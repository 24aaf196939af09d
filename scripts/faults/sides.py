"""The service that the faults are for: one that is started here with a PostgreSQL of its own, or one by its URL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from observer import Client

ROOT = Path(__file__).parent.parent.parent
START_S = 60.0
ALL = "{SELECT,INSERT,UPDATE,DELETE,CREATE,ALTER,DROP}"


class Service(NamedTuple):
    """Where it is, and a token of its administrator.

    Attributes:
        pid: gunicorn's master; None where it was not started here.
    """

    url: str
    admin: str
    pid: int | None = None

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
def started(conninfo: str = "", **settings: str) -> Iterator[Service]:
    """`postgate serve` from its first answer on, by default with an embedded PostgreSQL."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as said:
        port = free_port()
        environment = {**os.environ, **settings, "POSTGATE_PORT": str(port), "POSTGATE_DATA_DIR": directory + "/data"}
        environment.pop("DATABASE_URL", None)
        if conninfo:
            environment["DATABASE_URL"] = conninfo
        command = [sys.executable, "-m", "postgate"]
        process = subprocess.Popen([*command, "serve"], cwd=ROOT, env=environment, stdout=said, stderr=said)
        try:
            _wait(process, port)
            generate = [*command, "gen-token", "00000000-0000-0000-0000-000000000000"]
            token = subprocess.run(generate, cwd=ROOT, env=environment, capture_output=True, check=True, text=True)
            yield Service(f"http://127.0.0.1:{port}", token.stdout.split()[-1], process.pid)
        except Exception:
            said.seek(0)
            sys.stderr.write(said.read().decode()[-3000:])
            raise
        finally:
            process.terminate()
            process.wait()


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
