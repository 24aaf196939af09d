"""Starting the service, whoever starts it: the database first, then one migration, then the workers."""

from __future__ import annotations

import atexit
import dataclasses
import gc
import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from time import sleep
from types import FrameType
from typing import TYPE_CHECKING, Any

import psycopg
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from postgate import create_app, embedded, health, query
from postgate.config import Config, ConfigError
from postgate.metadata import migrate, protections

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger("postgate")

ADMIN_DATABASE = "00000000-0000-0000-0000-000000000000"
FIRST_SQL = "SELECT id, name, max_rows FROM postgate_databases"
# What create_app imports, here once for all workers.
LOADED_BEFORE_THE_FORK = (health, query)
# Long enough for a reachable database to be migrated before the first request.
PREPARATION_S = 5.0
RETRY_S = 5.0


def serve(config: Config) -> None:
    """Serve until interrupted; the embedded database, if it is used, is stopped after the last worker."""
    configure_logging(config)
    with embedded.database(config) as conninfo:
        ready = _make_ready(config, conninfo, _report_line)
        hint = first_steps(ready, config)
        _Gunicorn(ready, hint).run()


def settings(config: Config) -> dict[str, Any]:
    """What gunicorn is told, here and in gunicorn.conf.py."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    return {
        "bind": f"{host}:{config.port}",
        "worker_class": "gthread",
        "workers": config.workers,
        "threads": config.threads,
        "keepalive": 75,
        # A request that runs when the service is stopped may use its whole time.
        "graceful_timeout": config.statement_timeout_ms // 1000 + 5,
        "loglevel": config.log_level,
        "post_fork": _die_of_signals,
        "post_worker_init": _settle_worker,
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
    }


def hooks() -> dict[str, Callable[[Any], None]]:
    """For gunicorn.conf.py: the master makes the database ready, and its workers inherit where it is."""
    running = ExitStack()
    lines: list[str] = []

    def on_starting(_arbiter: object) -> None:
        _end_on_signals()
        # Not every way out of gunicorn calls on_exit.
        atexit.register(running.close)
        try:
            config = Config.from_env(os.environ)
            configure_logging(config)
            ready = _make_ready(config, running.enter_context(embedded.database(config)), _report_line)
            lines.append(first_steps(ready, config))
        except (ConfigError, migrate.MigrationError, protections.Unprotected, embedded.EmbeddedError) as error:
            raise SystemExit(f"Error: {error}") from None
        os.environ |= {"DATABASE_URL": ready.conninfo or "", "POSTGATE_SKIP_MIGRATIONS": "true"}

    def when_ready(_arbiter: object) -> None:
        _when_ready("".join(lines))

    def on_exit(_arbiter: object) -> None:
        running.close()

    return {"on_starting": on_starting, "when_ready": when_ready, "on_exit": on_exit}


def configured() -> Config:
    """The config of the environment, or the end of the process with one line."""
    try:
        return Config.from_env(os.environ)
    except ConfigError as error:
        raise SystemExit(f"Error: {error}") from None


def prepared(config: Config) -> Config:
    """For WSGI servers that only import the application: start the embedded database, migrate in the background.

    Until the migration is done the application answers 503.
    """
    configure_logging(config)
    if config.conninfo is None:
        running = ExitStack()
        atexit.register(running.close)
        config = dataclasses.replace(config, conninfo=running.enter_context(embedded.database(config)))
    if not config.skip_migrations:
        settled = Event()
        Thread(target=_prepare, args=[config, settled], name="postgate-migration", daemon=True).start()
        settled.wait(PREPARATION_S)
    return config


def configure_logging(config: Config) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    log.handlers = [handler]
    log.setLevel(config.log_level.upper())
    log.propagate = False
    # Our own pools say it once, in one line, and without the address of a tenant's server.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


def first_steps(config: Config, given: Config) -> str:
    """What to paste into another terminal, as long as nobody has a token."""
    if config.conninfo is None or _has_tokens(config.conninfo):
        return ""
    script = Path(sys.executable).with_name("postgate")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "postgate"]
    where = "" if given.conninfo else f"POSTGATE_DATA_DIR={shlex.quote(str(config.data_dir.absolute()))} "
    generate = f"{where}{shlex.join(command)} gen-token {ADMIN_DATABASE}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(config.host, config.host)  # noqa: S104
    url = f"http://[{host}]:{config.port}/query" if ":" in host else f"http://{host}:{config.port}/query"
    same = " (where the same database settings are in the environment)" if given.conninfo else ""
    return (
        f"\nThere is no token yet. In another terminal{same}, this makes the admin token:\n\n  {generate}\n\n"
        "and this makes one and asks the first question with it:\n\n"
        f"""  curl -s {shlex.quote(url)} -H "Authorization: Bearer $({generate})" -d '{{"sql": "{FIRST_SQL}"}}'\n\n"""
    )


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn in this process, configured by us alone."""

    def __init__(self, config: Config, hint: str) -> None:
        self._config = config
        self._hint = hint
        super().__init__()

    def load_config(self) -> None:
        for name, value in {**settings(self._config), "when_ready": lambda _: _when_ready(self._hint)}.items():
            # Older versions lack some.
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._config)


def _make_ready(config: Config, conninfo: str, report: Callable[[str], None]) -> Config:
    """Wait for the database, migrate it, and see that no tenant could reach another there.

    Raises:
        MigrationError: the database cannot be migrated.
        Unprotected: it could, and the settings do not allow that.
    """
    migrate.wait_for_database(conninfo, report)
    if not config.skip_migrations:
        migrate.upgrade(conninfo)
    if not config.allow_unprotected and migrate.current(conninfo) == migrate.head():
        protections.require(conninfo)
    return dataclasses.replace(config, conninfo=conninfo, skip_migrations=True)


def _prepare(config: Config, settled: Event) -> None:
    """`settled` is set when the database is ready, or known not to be."""

    def report(line: str) -> None:
        settled.set()
        log.warning(line)

    while True:
        try:
            _make_ready(config, config.conninfo or "", report)
            settled.set()
            return
        except migrate.MigrationError as error:
            report(f"the database cannot be migrated: {error}")
        except protections.Unprotected as error:
            report(str(error))
            # The server that has imported us knows what to do without a worker; we must not go on as one.
            os.kill(os.getpid(), signal.SIGTERM)
            return
        sleep(RETRY_S)


def _has_tokens(conninfo: str) -> bool:
    try:
        with psycopg.connect(conninfo, prepare_threshold=None) as connection:
            return connection.execute("SELECT FROM public.postgate_tokens LIMIT 1").rowcount > 0
    except psycopg.Error:
        return True


def _when_ready(hint: str) -> None:
    """Say the first steps, and from now on take Ctrl-C for a graceful stop; a second one is gunicorn's quick stop."""
    quick = signal.getsignal(signal.SIGINT)

    def stop(_signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, quick)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGINT, stop)
    _report(hint)


def _die_of_signals(_arbiter: object, _worker: object) -> None:
    """A worker that boots has the master's handlers at first, which would swallow the signals that end it."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_DFL)


def _leave_interrupts_to_the_master(_worker: object) -> None:
    """A terminal sends Ctrl-C to the workers too, and gunicorn's can hang when a second signal follows at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _settle_worker(worker: object) -> None:
    _leave_interrupts_to_the_master(worker)
    settle_garbage_collection()


def settle_garbage_collection() -> None:
    """A parse makes many objects that live until its end: to look among them for garbage doubles its time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _end_on_signals() -> None:
    """Before gunicorn takes them over, signals have to unwind: the embedded database must not be left running."""

    def end(signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, end)


def _report(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _report_line(line: str) -> None:
    _report(line + "\n")
