"""A database that is ready to be served: reachable, migrated, and with its tenants kept apart."""

from __future__ import annotations

import atexit
import dataclasses
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from threading import Event, Thread
from time import sleep

from postgate import embedded
from postgate.config import Config, ConfigError
from postgate.conninfo import describe
from postgate.metadata import migrate, trial
from postgate.observe import traces
from postgate.observe.events import Announcement, BareServer, MigrationStep, StartWaits, happened, sparing
from postgate.observe.log import configure_logging

# How long a server that imports the application waits for it, so that a reachable database is migrated before the
# first request.
PREPARATION_S = 5.0
# The pause after a failed migration.
RETRY_S = 5.0
_WORD = (
    "this server has none of postgate's settings: `postgate serve`, or gunicorn with `-c python:postgate.server.conf`,"
    " has as many workers as keep the machine busy, no thread waits for a slow client in them, and they count together"
    " what a database has under way"
)


def configured() -> Config:
    """The config of the environment, or the end of the process with one line."""
    try:
        return Config.from_env(os.environ)
    except ConfigError as error:
        raise SystemExit(f"Error: {error}") from None


def start_log(config: Config) -> None:
    """Log as the settings say."""
    configure_logging(config.log_level, config.log_format, config.slow_ms, config.log_statements)


def announce(line: str) -> None:
    happened(Announcement(line))


def ready(config: Config, conninfo: str, report_wait: Callable[[str], None] | None = None) -> Config:
    """Wait for the database, migrate it, and see that no tenant could reach another there; neither can be on a standby.

    Args:
        report_wait: takes a line for each reason to wait; when None the log has them.

    Raises:
        MigrationError: the database cannot be migrated.
        Unprotected: one tenant could reach another, and the settings do not allow that.
    """
    server = migrate.wait_for_database(conninfo, report_wait or _wait, allow_standby=config.allow_standby)
    if config.conninfo is not None:
        announce(f"Database: {describe(conninfo)}, PostgreSQL {server.version}")
    # What a standby has was migrated, and tried, where it comes from.
    if not server.is_standby and not config.skip_migrations:
        migrate.upgrade(conninfo, report=lambda step: happened(MigrationStep(step)))
    if not server.is_standby and not config.allow_unprotected and migrate.current(conninfo) == migrate.head():
        trial.require(conninfo)
    return dataclasses.replace(config, conninfo=conninfo, skip_migrations=True)


def _wait(line: str) -> None:
    happened(StartWaits(line))


def in_background(config: Config) -> Config:
    """For WSGI servers that only import the application: start the embedded database, migrate in the background.

    Until the migration is done the application answers 503.
    """
    start_log(config)
    traces.start()
    atexit.register(traces.end)
    if config.conninfo is None:
        running = ExitStack()
        atexit.register(running.close)
        config = dataclasses.replace(
            config, conninfo=running.enter_context(embedded.database(config, creates=True, report=announce))
        )
    if not config.skip_migrations:
        happened(BareServer(_WORD))
        settled = Event()
        Thread(target=_prepare, args=[config, settled], name="postgate-migration", daemon=True).start()
        settled.wait(PREPARATION_S)
    return config


def _prepare(config: Config, settled: Event) -> None:
    """`settled` is set when the database is ready, or known not to be."""

    def tell(line: str) -> None:
        settled.set()
        _wait(line)

    report = sparing(tell)

    while True:
        try:
            ready(config, config.conninfo or "", report)
            settled.set()
            return
        except migrate.MigrationError as error:
            report(f"the database cannot be migrated: {error}")
        except trial.Unprotected as error:
            report(str(error))
            # The server that has imported us knows what to do without a worker; we must not go on as one.
            os.kill(os.getpid(), signal.SIGTERM)
            return
        sleep(RETRY_S)
