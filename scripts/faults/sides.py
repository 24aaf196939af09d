"""The service that the faults are for: one that is started here with a PostgreSQL of its own, or one by its URL."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from observer import Client
from support.paths import ROOT, a_directory
from support.processes import execute, free_port, running

from postgate import embedded

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
    with a_directory() as directory, embedded.running(directory / "data") as conninfo:
        settings = serving_settings(conninfo, free_port())
        with running(SERVE, ROOT, int(settings["POSTGATE_PORT"]), **settings) as process:
            process.healthy()
            yield service_at(settings, conninfo)


def serving_settings(conninfo: str, port: int) -> dict[str, str]:
    """Those of who calls us, and ours."""
    given = {name: value for name, value in os.environ.items() if name.startswith("POSTGATE_")}
    return {"POSTGATE_STATEMENT_TIMEOUT": "30"} | given | {"DATABASE_URL": conninfo, "POSTGATE_PORT": str(port)}


def service_at(settings: Mapping[str, str], conninfo: str, directory: Path = ROOT) -> Service:
    """The service that was started with these settings, with a new token of its administrator.

    Args:
        directory: the checkout whose command line makes it.
    """
    command = [sys.executable, "-m", "postgate", "gen-token", "00000000-0000-0000-0000-000000000000"]
    made = execute(command, directory, **settings)
    return Service(f"http://127.0.0.1:{settings['POSTGATE_PORT']}", made.stdout.split()[-1], conninfo)
