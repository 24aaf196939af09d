"""Run the Alembic revisions from inside the program: one process migrates, however many start at once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from postgate.conninfo import explain, is_transient
from postgate.metadata.remedies import explain_with_remedy, remedy
from postgate.observe.events import sparing
from postgate.sql_files import read_sql

# alembic and SQLAlchemy are imported where they are used: they take longer to load than most commands to run.
if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, CursorResult

VERSION_TABLE = "postgate_alembic_version"
LOCK = int.from_bytes(b"postgate", "big")
# From so many tenants on a person wants to see that it goes on.
MANY_TENANTS = 20
_SETTINGS = read_sql("metadata", "settings")
_STRANGERS = read_sql("metadata", "strangers")
_MAKES_ROLES = "SELECT rolsuper OR rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user"
_LACKING_ROLES = read_sql("metadata", "lacking_roles")


class MigrationError(Exception):
    """The database could not be reached or brought to the revision; the text is one line for a person."""


class Server(NamedTuple):
    """The PostgreSQL that was waited for; `version` as "18.1"."""

    version: str
    is_standby: bool


def upgrade(
    conninfo: str, revision: str = "head", adopts: bool = False, report: Callable[[str], None] = lambda _: None
) -> None:
    """Bring the database up to `revision`; wait first for whoever is migrating it already.

    Then do what the database needs besides: tenants without their roles, which the previous revision or a restored
    backup has left, get them, and what a new PostgreSQL has opened is closed.

    Args:
        adopts: take also a database that is somebody else's: it loses what PUBLIC has there by default.
        report: takes a line where there is something to migrate.

    Raises:
        MigrationError: it is somebody else's, cannot be reached, or a revision has failed.
    """
    from alembic import command

    # A gateway that may not migrate can still find that there is nothing to do.
    found, wanted = current(conninfo), head() if revision == "head" else revision
    if found != wanted:
        with _readable_errors(conninfo), locked(conninfo) as connection:
            if not adopts:
                _refuse_strangers(connection)
            if not execute_text(connection, _MAKES_ROLES).scalar():
                # What it made would be its own, and could make no tenant.
                raise MigrationError(f"the login may not make the roles of tenants: {remedy(conninfo)}")
            report(f"Migrating the database to revision {wanted}" + (f" from {found}" if found else ""))
            command.upgrade(_config(connection), revision)
    with _readable_errors(conninfo), psycopg.connect(conninfo, prepare_threshold=None, autocommit=True) as session:
        if session.execute("SELECT to_regproc('postgate_internal.harden') IS NOT NULL").fetchone() == (True,):
            _harden(session)
            _arrange_roles(session)
        if session.execute("SELECT to_regproc('postgate_internal.finish_deletions') IS NOT NULL").fetchone() == (True,):
            _finish_deletions(session)


def _refuse_strangers(connection: Connection) -> None:
    names = [str(name) for (name,) in execute_text(connection, _STRANGERS.decode())]
    if names:
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        (database,) = execute_text(connection, "SELECT current_database()").one()
        raise MigrationError(
            f"the database {database} is somebody else's: it has {len(names)} tables and views ({shown}), and nothing"
            " of postgate's. Give postgate one of its own (CREATE DATABASE postgate). `postgate migrate --adopt` takes"
            " this one all the same: PUBLIC loses temporary tables, DO blocks, the catalog with pg_stat_activity, and"
            " some 300 functions there, and triggers judge every definition, until `postgate migrate --undo`"
        )


def require_head(conninfo: str) -> None:
    """See that the database is as this version needs it, and change nothing.

    Raises:
        MigrationError: it is not; the text says what to do.
    """
    found, needed = current(conninfo), head()
    if found == needed:
        return
    if found is None:
        raise MigrationError(
            "the database has nothing of postgate's yet: `postgate serve` or `postgate migrate` makes it"
        )
    if found in revisions():
        raise MigrationError(f"the database is at revision {found}, not {needed}: run `postgate migrate`")
    raise MigrationError(
        f"the database is at revision {found}, which this version of postgate does not know: use a newer one"
    )


def admit(conninfo: str, gateway: str) -> None:
    """Let the service log in as the role `gateway`, which is no superuser; to be run as one, in a migrated database."""
    with _readable_errors(conninfo), psycopg.connect(conninfo, prepare_threshold=None) as session:
        session.execute("SELECT postgate_internal.admit(%s)", [gateway])


def _harden(session: psycopg.Connection) -> None:
    is_superuser = session.execute("SELECT current_setting('is_superuser')").fetchone() == ("on",)
    if is_superuser:
        with session.transaction():
            session.execute(_SETTINGS)
            # One at a time: two that revoke one privilege at once would fail.
            session.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            session.execute("SELECT postgate_internal.harden()")


def _arrange_roles(session: psycopg.Connection) -> None:
    """A transaction for each tenant, because each takes locks; what is cut short goes on the next time."""
    import click

    with session.transaction():
        session.execute(_SETTINGS)
        lacking = [row[0] for row in session.execute(_LACKING_ROLES)]
    if not lacking:
        return
    label = f"Giving {len(lacking)} tenants their roles"
    with click.progressbar(lacking, label=label, file=sys.stderr, hidden=len(lacking) < MANY_TENANTS) as bar:
        for database in bar:
            with session.transaction():
                session.execute(_SETTINGS)
                session.execute("SELECT postgate_internal.arrange_roles(%s)", [database])


def _finish_deletions(session: psycopg.Connection) -> None:
    """A transaction for each batch of what deleted databases have left."""
    while True:
        with session.transaction():
            session.execute(_SETTINGS)
            if session.execute("SELECT postgate_internal.finish_deletions()").fetchone() != (True,):
                return


def downgrade(conninfo: str, revision: str) -> None:
    """Take the database back to `revision`; "base" leaves nothing that a revision made."""
    from alembic import command

    with _readable_errors(conninfo), locked(conninfo) as connection:
        command.downgrade(_config(connection), revision)
        if revision == "base":
            execute_text(connection, f"DROP TABLE IF EXISTS public.{VERSION_TABLE}")


def current(conninfo: str) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    with _readable_errors(conninfo), psycopg.connect(conninfo, prepare_threshold=None) as connection:
        table = connection.execute("SELECT to_regclass(%s)", [f"public.{VERSION_TABLE}"]).fetchone()
        if table is None or table[0] is None:
            return None
        row = connection.execute(f"SELECT version_num FROM public.{VERSION_TABLE}").fetchone()  # noqa: S608
        return None if row is None else str(row[0])


def head() -> str:
    """The newest revision of this installation."""
    return revisions()[0]


def revisions() -> list[str]:
    """Those of this installation, the newest first."""
    from alembic.script import ScriptDirectory

    found = [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]
    if not found:
        raise MigrationError(f"there is no revision in {scripts()}")
    return found


def wait_for_database(
    conninfo: str, report: Callable[[str], None], pause_s: float = 1.0, allow_standby: bool = False
) -> Server:
    """Return once the database accepts connections and changes.

    Args:
        report: takes a line for each reason why it does not, and again after each minute.
        allow_standby: it need not accept changes.

    A refusal that waiting cannot mend (password, missing database, malformed conninfo) raises MigrationError at once.
    """
    report = sparing(report)
    while True:
        try:
            # The server says so by itself; the function that could be asked is not everyone's.
            with psycopg.connect(conninfo, connect_timeout=5) as connection:
                is_standby = connection.info.parameter_status("in_hot_standby") == "on"
                version = (connection.info.parameter_status("server_version") or "?").split()[0]
            if allow_standby or not is_standby:
                return Server(version, is_standby)
            reason = "it is a standby, which takes no changes; POSTGATE_ALLOW_STANDBY=true serves all the same"
        except psycopg.Error as error:
            reason = explain(error, conninfo)
            if not is_transient(error, conninfo):
                raise MigrationError(f"cannot use the database: {reason}") from None
        report(f"waiting for PostgreSQL: {reason}")
        time.sleep(pause_s)


@contextmanager
def locked(conninfo: str) -> Iterator[Connection]:
    """A connection in the one transaction that may migrate; it commits when the body ends well."""
    from sqlalchemy import NullPool, create_engine

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo, prepare_threshold=None),
        poolclass=NullPool,
        # Under a stricter default the snapshot would be older than the lock, and show no migration to be done.
        isolation_level="READ COMMITTED",
    )
    with engine.begin() as connection:
        execute_text(connection, _SETTINGS.decode())
        # Transaction-level, so that it also holds through a pooler and never outlives a crash.
        execute_text(connection, f"SELECT pg_advisory_xact_lock({LOCK})")
        yield connection


def execute_file(
    connection: Connection, revision: str, name: str, parameters: Mapping[str, Any] | None = None
) -> CursorResult[Any]:
    """Run alembic/sql/<revision>/<name>.sql."""
    return execute_text(connection, revision_sql(revision, name), parameters)


def make_functions(connection: Connection, revision: str, identities: Sequence[str]) -> None:
    """Make internal functions, each from the file of its name, which nobody but their owner may call.

    Args:
        identities: names with the types of the arguments, without the schema.
    """
    for identity in identities:
        execute_file(connection, revision, identity.partition("(")[0])
        execute_text(connection, f"REVOKE ALL ON FUNCTION postgate_internal.{identity} FROM PUBLIC")


def drop_functions(connection: Connection, identities: Sequence[str]) -> None:
    """Drop what `make_functions` has made."""
    for identity in reversed(identities):
        execute_text(connection, f"DROP FUNCTION postgate_internal.{identity}")


def restore_function(connection: Connection, revision: str, name: str) -> None:
    """Give a function the body that it had as of `revision`; who may call it stays as it is."""
    text = revision_sql(revision, name).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    execute_text(connection, text)


def execute_text(connection: Connection, sql: str, parameters: Mapping[str, Any] | None = None) -> CursorResult[Any]:
    """Run SQL as it is: without parameters neither `:` nor `%` means anything in it."""
    if parameters is None:
        return connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
    return connection.exec_driver_sql(sql, dict(parameters))


def revision_sql(revision: str, name: str) -> str:
    return (scripts() / "sql" / revision / f"{name}.sql").read_text(encoding="utf-8")


def scripts() -> Path:
    """Where the revisions are: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _readable_errors(conninfo: str) -> Iterator[None]:
    """Turn the failures of a migration into one line that holds no secret."""
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except psycopg.Error as error:
        raise MigrationError(explain_with_remedy(error, conninfo)) from error
    except DBAPIError as error:
        raise MigrationError(explain_with_remedy(error.orig or error, conninfo)) from error
    except CommandError as error:
        raise MigrationError(f"{error} (is the database ahead of this version of postgate?)") from error
