"""What every test may use: a PostgreSQL server and, for each test, a migrated database of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import walls
from psycopg.conninfo import make_conninfo
from service import Service, a_service

from postgate import embedded
from postgate.metadata import migrate

TENANT_ROLES = """
    SELECT DISTINCT r.rolname FROM pg_shdepend AS s JOIN pg_roles AS r ON r.oid = s.refobjid
    JOIN pg_database AS d ON d.oid = s.dbid
    WHERE d.datname = %s AND r.rolname ~ '^postgate_[0-9a-f]{32}_'"""


@contextmanager
def a_database(server: str, template: str = "template1") -> Iterator[str]:
    """The conninfo of a new database, dropped afterwards whoever is connected to it."""
    name = f"postgate_test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        conninfo = make_conninfo(server, dbname=name)
        if template.startswith("postgate"):
            # The privileges on a database are not copied with it.
            with psycopg.connect(conninfo) as inside:
                inside.execute("SELECT postgate_internal.harden()")
        yield conninfo
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            roles = [role for (role,) in admin.execute(TENANT_ROLES, [name])]
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            for role in roles:
                with suppress(psycopg.errors.DependentObjectsStillExist):
                    admin.execute(f"DROP ROLE IF EXISTS {role}")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The conninfo of a maintenance database: POSTGATE_TEST_DSN's, else an embedded server's."""
    given = os.environ.get("POSTGATE_TEST_DSN")
    if given:
        yield given
        return
    # Not pytest's own directory, which is closed to the account that PostgreSQL runs as when we are root.
    data_dir = Path(tempfile.mkdtemp(prefix="postgate-test-"))
    try:
        with embedded.running(data_dir, durable=False) as conninfo:
            yield conninfo
    finally:
        shutil.rmtree(data_dir)


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """The name of a migrated database that others are cloned from; nobody connects to it."""
    with a_database(server) as conninfo:
        migrate.upgrade(conninfo)
        yield str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])


@pytest.fixture
def conninfo(server: str, template: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    with a_database(server, template) as conninfo:
        yield conninfo


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    """A database of this test's own that was never migrated."""
    with a_database(server, "template0") as conninfo:
        yield conninfo


@pytest.fixture
def connection(conninfo: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection to `conninfo`."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture
def service(conninfo: str) -> Iterator[Service]:
    """The service on this test's database."""
    with a_service(conninfo) as service:
        yield service


@pytest.fixture(scope="module")
def shared_service(server: str, template: str) -> Iterator[Service]:
    """The service for tests that leave nothing behind that another would see."""
    with a_database(server, template) as conninfo, a_service(conninfo) as service:
        yield service


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for wall, count in sorted(walls.tried.items()):
        terminalreporter.write_line(
            f"attacks of the sample that the {wall} alone stops: {walls.stopped[wall]} of {count}"
        )
