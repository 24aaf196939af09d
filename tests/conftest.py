"""What every test may use: a PostgreSQL server and, for each test, a migrated database of its own."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from support import walls
from support.databases import a_database
from support.paths import a_directory, open_checkout
from support.secrets import looked_for
from support.service import Service, a_service

from postgate import embedded
from postgate.metadata import migrate


@pytest.fixture(scope="session", autouse=True)
def _looked_for_secrets() -> Iterator[None]:
    with looked_for():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is said is looked at when all is said."""
    items.sort(key=lambda item: item.path.name == "test_secrets.py")


@pytest.fixture(scope="session", autouse=True)
def _open_checkout() -> Iterator[None]:
    with open_checkout():
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The conninfo of a maintenance database: POSTGATE_TEST_DSN's, else an embedded server's."""
    given = os.environ.get("POSTGATE_TEST_DSN")
    if given:
        yield given
        return
    with a_directory() as data_dir, embedded.running(data_dir, durable=False) as conninfo:
        yield conninfo


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
