"""One connection to a backend, and how it is opened."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic

from postgate.config import Config
from postgate.postgres.errors import ConnectionLost, ServerError
from postgate.postgres.pipeline import Command, Pipeline
from postgate.postgres.types import BOOL, INT4, Type
from postgate.sql_files import read_sql

SHARED = ""
_SETTLE = read_sql("postgres", "settle_session")
_OPTIONS = {
    "fallback_application_name": "postgate",
    # Seconds, and for the last one milliseconds: within half a minute we notice that the network is cut.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# Passwords of our environment and home directory are for the shared database; a dedicated one has its own or none:
# whoever runs its server could ask for a password that its connection string does not have.
_NO_PASSWORD = {"password": "", "passfile": os.devnull}
# Where the server warns that it has stopped waiting for a standby, and has committed nevertheless (manual, "Synchronous
# Replication").
_WAITS_FOR_STANDBY = "SyncRepWaitForLSN"
# Seconds; libpq takes no less.
_MIN_CONNECT_TIMEOUT_S = 2


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a tenant's statements run: the shared database, or a dedicated one with the key of its record."""

    key: str
    conninfo: str = field(repr=False)

    @property
    def label(self) -> str:
        """What an event calls it."""
        return self.key or "shared"


class SuperuserLogin(psycopg.OperationalError):
    """A dedicated database whose tenant would be everything on its server."""


class Connection(psycopg.Connection[Any]):
    """A connection, and what is known of its session.

    Attributes:
        goes_on: its backend has been cancelled and has not answered, so it may work on without end.
        is_lost: the server has ended it, or does not answer on it any more.
        is_stained: something may be left behind in the session, so nobody else may have it.
        prepared: the name of each text of the gateway's own that is prepared in it; None where nothing can be.
        types: the types of this database that are not built in, by their numbers. PostgreSQL gives the number of a
            dropped type to another one only after its counter has gone round, and a database that is made anew has new
            connections: so they are good for the life of the connection.
        is_unconfirmed: a commit was not confirmed by the standby that the server waits for.
        opened_at, used_at: when it was opened and last given back (time.monotonic).
    """

    goes_on = False
    is_lost = False
    is_stained = False
    is_unconfirmed = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.prepared: dict[bytes, bytes] | None = {}
        self.types: dict[int, Type] = {}
        self.opened_at = self.used_at = time.monotonic()

    def note(self, notice: Diagnostic) -> None:
        """Heed what the server says beside its answers."""
        # No function of a tenant's can say where in the server's source a notice comes from.
        if notice.source_function == _WAITS_FOR_STANDBY:
            self.is_unconfirmed = True


def connect(backend: Backend, config: Config) -> Connection:
    """Open a connection, within about the time that a request waits for one.

    Raises:
        SuperuserLogin: it is to a dedicated database, and the settings do not allow its login.
        psycopg.Error: libpq's or the server's refusal.
    """
    connection = Connection.connect(backend.conninfo, **_options(backend, config))
    is_superuser = connection.pgconn.parameter_status(b"is_superuser") == b"on"
    if is_superuser and backend.key != SHARED and not config.allow_dedicated_superuser:
        connection.close()
        raise SuperuserLogin("the login is a superuser")
    _settle(connection, backend.key == SHARED, round(config.pool_timeout_s * 1000))
    connection.add_notice_handler(connection.note)
    return connection


def _settle(connection: Connection, is_shared: bool, limit_ms: int) -> None:
    """Set what holds for the whole session.

    PostgreSQL reads small tables from end to end, and a table of tenants is small up to some hundred of them: that made
    what opens a transaction a quarter longer.
    """
    parameters = [str(connection.info.backend_pid).encode(), b"t" if is_shared else b"f"]
    try:
        with Pipeline(connection, limit_ms) as pipeline:
            pipeline.query(Command(_SETTLE, parameters, [INT4, BOOL]))
    except ServerError:
        # Where PUBLIC may not ask for its process, a login that is no superuser may not either: it goes on without.
        return
    except ConnectionLost as error:
        connection.close()
        raise psycopg.OperationalError("the connection ended before its first answer") from error


def _options(backend: Backend, config: Config) -> dict[str, Any]:
    configured = conninfo_to_dict(backend.conninfo)
    defaults = _OPTIONS if backend.key == SHARED else _OPTIONS | _NO_PASSWORD
    options = {name: value for name, value in defaults.items() if name not in configured}
    return options | {
        "connect_timeout": max(_MIN_CONNECT_TIMEOUT_S, round(config.pool_timeout_s)),
        "client_encoding": "utf8",
        "autocommit": True,
        "prepare_threshold": None,
    }
