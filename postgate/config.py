"""The settings: environment variables and the lines of a .env file, as one frozen object."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values
from psycopg.conninfo import make_conninfo

from postgate.conninfo import is_local, is_malformed, without_secrets


class ConfigError(Exception):
    """A setting has a value that it cannot have; the text names it and never shows a secret."""


class Setting(NamedTuple):
    name: str
    default: str
    meaning: str


SETTINGS = (
    Setting("DATABASE_URL", "", "the PostgreSQL to use; without it and the next five: an embedded one"),
    Setting("POSTGRES_HOST", "localhost", "its parts, when `DATABASE_URL` is not set: host,"),
    Setting("POSTGRES_PORT", "5432", "port,"),
    Setting("POSTGRES_USER", "postgres", "user,"),
    Setting("POSTGRES_PASSWORD", "", "password,"),
    Setting("POSTGRES_DB", "postgate", "database"),
    Setting("POSTGATE_DATA_DIR", "./data", "where the embedded PostgreSQL keeps its data"),
    Setting(
        "POSTGATE_EMBEDDED_MEMORY_MB",
        "",
        "the most memory of one process of the embedded PostgreSQL; half of the machine's when unset",
    ),
    Setting("POSTGATE_HOST", "127.0.0.1", "address to listen on"),
    Setting("POSTGATE_PORT", "3000", "port to listen on"),
    Setting(
        "POSTGATE_WORKERS",
        "",
        "worker processes; when unset one for each CPU, or every second one beside a PostgreSQL; at most 8",
    ),
    Setting("POSTGATE_PIN_WORKERS", "true", "keep each worker on one CPU, where its threads take turns most cheaply"),
    Setting("POSTGATE_THREADS", "32", "requests that a worker serves at once"),
    Setting("POSTGATE_CONNECTIONS", "4000", "clients that a worker keeps connected; beyond it an idle one makes room"),
    Setting("POSTGATE_HEADER_TIMEOUT", "10", "seconds for a client to send the header of a request"),
    Setting("POSTGATE_BODY_TIMEOUT", "30", "seconds for it to send the body, and one more for each 4 KB of it"),
    Setting("POSTGATE_ANSWER_TIMEOUT", "30", "seconds for it to take the answer, and one more for each 4 KB of it"),
    Setting("MAX_BODY_SIZE_MB", "10", "the largest body of a request"),
    Setting("POSTGATE_MAX_RESULT_MB", "64", "the largest body of an answer; a row may have half of it"),
    Setting(
        "POSTGATE_MEMORY_MB",
        "512",
        "the memory of a worker for large bodies and results; more of them wait, of one database at half of it",
    ),
    Setting("POSTGATE_MAX_STATEMENT_MB", "1", "the longest text of a statement, in millions of characters (2^20)"),
    Setting(
        "POSTGATE_MAX_STEPS",
        "80000",
        "the largest statement: a word in it counts 3, any other token and a row of constants 1",
    ),
    Setting("POSTGATE_MAX_NESTING", "256", "levels of parentheses, calls and queries in a statement; a call counts 2"),
    Setting("POSTGATE_MAX_BATCH", "1000", "the most statements of a batch"),
    Setting("POSTGATE_STATEMENT_TIMEOUT", "30", "seconds after which PostgreSQL cancels a statement"),
    Setting(
        "POSTGATE_POOL_SIZE",
        "",
        "the most connections of a worker to one backend; when unset 16, and 80 of all workers",
    ),
    Setting("POSTGATE_POOL_TIMEOUT", "5", "seconds to wait for a connection before 503, or for a turn before 429"),
    Setting("POSTGATE_POOL_IDLE", "60", "seconds after which unused connections are closed"),
    Setting(
        "POSTGATE_DATABASE_CONCURRENCY",
        "",
        "statements of one database that run at once on all workers; in each at most half of its connections. When"
        " unset, and PostgreSQL is on this machine, slow ones leave a CPU free while other databases ask too",
    ),
    Setting("POSTGATE_DATABASE_QUEUE", "64", "requests of one database that wait in a worker; the next one is 429"),
    Setting("POSTGATE_SKIP_MIGRATIONS", "false", "leave the database's schema as it is at start"),
    Setting(
        "POSTGATE_ALLOW_UNPROTECTED", "false", "serve though `postgate doctor` finds that a tenant could reach another"
    ),
    Setting("POSTGATE_ALLOW_DEDICATED_SUPERUSER", "false", "use dedicated databases whose login is a superuser"),
    Setting("POSTGATE_ALLOW_STANDBY", "false", "serve on a standby too, where a change is 503"),
    Setting(
        "POSTGATE_STATUS_BY_SQLSTATE",
        "false",
        "the HTTP status of a DATABASE_ERROR follows from its SQLSTATE, as in docs/errors.md; otherwise it is 500",
    ),
    Setting("POSTGATE_LOG_LEVEL", "info", "debug, info, warning, error or critical"),
    Setting("POSTGATE_LOG_FORMAT", "", "json or text; when unset text at a terminal, and json elsewhere"),
    Setting(
        "POSTGATE_LOG_STATEMENTS",
        "none",
        "whose text without constants stands in the log: none, errors, slow (and errors) or all",
    ),
    Setting("POSTGATE_SLOW_MS", "1000", "milliseconds from which a request is slow, which makes its line a warning"),
    Setting("POSTGATE_METRICS_PORT", "", "where Prometheus finds the metrics of all workers; no listener when unset"),
    Setting("POSTGATE_METRICS_HOST", "127.0.0.1", "address of that listener"),
    Setting("POSTGATE_METRICS_BY_DATABASE", "false", "series for each of the 100 busiest databases too"),
    Setting("POSTGATE_SERVER_TIMING", "false", "tell clients in a header Server-Timing how long each stage has taken"),
)

MEGABYTE = 1024 * 1024
# Connections of all workers to one backend, where nobody says otherwise: PostgreSQL takes a hundred by default.
ALL_CONNECTIONS = 80
# More statements than any machine runs at once.
MOST_AT_ONCE = 60_000
_DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
_PARTS = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "DB"}
# Names of others that begin as ours do: of clients, of our tests, and of Kubernetes, which tells each container of a
# service that is called postgate, and has its address in POSTGATE_PORT.
_NOT_OURS = re.compile(r"POSTGATE_(URL|TOKEN|TEST_\w+|SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_\w+)")
_LEVELS = ("debug", "info", "warning", "error", "critical")
# "" is chosen when the log is opened.
_LOG_FORMATS = ("json", "text", "")
_LOG_STATEMENTS = ("none", "errors", "slow", "all")
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Config:
    """What the service is told at its start. `conninfo` None means the embedded PostgreSQL in `data_dir`."""

    conninfo: str | None = field(default=None, repr=False)
    data_dir: Path = Path("data")
    embedded_memory_bytes: int | None = None
    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 2
    pin_workers: bool = True
    threads: int = 32
    connections: int = 4000
    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    answer_timeout_s: float = 30.0
    max_body_bytes: int = 10 * MEGABYTE
    max_result_bytes: int = 64 * MEGABYTE
    memory_bytes: int = 512 * MEGABYTE
    max_characters: int = MEGABYTE
    max_steps: int = 80_000
    max_nesting: int = 256
    max_batch: int = 1000
    statement_timeout_ms: int = 30_000
    pool_size: int = 16
    pool_timeout_s: float = 5.0
    pool_idle_s: float = 60.0
    max_concurrency: int = MOST_AT_ONCE
    slow_concurrency: int = MOST_AT_ONCE
    database_queue: int = 64
    skip_migrations: bool = False
    allow_unprotected: bool = False
    allow_dedicated_superuser: bool = False
    allow_standby: bool = False
    status_by_sqlstate: bool = False
    log_level: str = "info"
    log_format: str = ""
    log_statements: str = "none"
    slow_ms: float = 1000.0
    server_timing: bool = False
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    metrics_by_database: bool = False

    @property
    def pool_share(self) -> int:
        """How many of a worker's connections to a backend one database may have: half are for the others."""
        return max(1, self.pool_size // 2)

    @property
    def waiting_bytes(self) -> int:
        """Of a worker's memory for what is large, the part of bodies that are incomplete or wait for their turn."""
        return max(self.memory_bytes // 4, 2 * self.max_body_bytes)

    @property
    def request_bytes(self) -> int:
        """And the part of requests that run, and of answers that are being sent."""
        return self.memory_bytes - self.memory_bytes // 4

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Config:
        """Read the environment, and for what it does not say the .env file of the working directory.

        Raises:
            ConfigError: a value is not what its setting takes.
        """
        values = _Values(environ)
        conninfo = values.conninfo()
        workers = values.whole("POSTGATE_WORKERS", 1, 512, default=_workers(conninfo))
        return cls(
            conninfo=conninfo,
            data_dir=Path(values.text("POSTGATE_DATA_DIR")),
            embedded_memory_bytes=values.megabytes("POSTGATE_EMBEDDED_MEMORY_MB", 512, 16_777_216),
            host=values.text("POSTGATE_HOST"),
            port=values.whole("POSTGATE_PORT", 0, 65535),
            workers=workers,
            pin_workers=values.switch("POSTGATE_PIN_WORKERS"),
            threads=values.whole("POSTGATE_THREADS", 1, 1024),
            connections=values.whole("POSTGATE_CONNECTIONS", 16, 1_000_000),
            header_timeout_s=values.number("POSTGATE_HEADER_TIMEOUT", 0.1, 3600),
            body_timeout_s=values.number("POSTGATE_BODY_TIMEOUT", 0.1, 3600),
            answer_timeout_s=values.number("POSTGATE_ANSWER_TIMEOUT", 0.1, 3600),
            max_body_bytes=int(values.number("MAX_BODY_SIZE_MB", 0.001, 1024) * MEGABYTE),
            max_result_bytes=int(values.number("POSTGATE_MAX_RESULT_MB", 0.001, 4096) * MEGABYTE),
            memory_bytes=int(values.number("POSTGATE_MEMORY_MB", 16, 1_048_576) * MEGABYTE),
            max_characters=int(values.number("POSTGATE_MAX_STATEMENT_MB", 0.001, 1024) * MEGABYTE),
            max_steps=values.whole("POSTGATE_MAX_STEPS", 100, 10_000_000),
            max_nesting=values.whole("POSTGATE_MAX_NESTING", 16, 256),
            max_batch=values.whole("POSTGATE_MAX_BATCH", 1, 100_000),
            statement_timeout_ms=int(values.number("POSTGATE_STATEMENT_TIMEOUT", 0.001, 86_400) * 1000),
            pool_size=values.whole("POSTGATE_POOL_SIZE", 1, 1024, default=max(4, min(16, ALL_CONNECTIONS // workers))),
            pool_timeout_s=values.number("POSTGATE_POOL_TIMEOUT", 0.1, 3600),
            pool_idle_s=values.number("POSTGATE_POOL_IDLE", 1, 86_400),
            slow_concurrency=MOST_AT_ONCE
            if values.has("POSTGATE_DATABASE_CONCURRENCY")
            else _processors_beside(conninfo),
            max_concurrency=values.whole("POSTGATE_DATABASE_CONCURRENCY", 1, MOST_AT_ONCE, default=MOST_AT_ONCE),
            database_queue=values.whole("POSTGATE_DATABASE_QUEUE", 0, 100_000),
            skip_migrations=values.switch("POSTGATE_SKIP_MIGRATIONS"),
            allow_unprotected=values.switch("POSTGATE_ALLOW_UNPROTECTED"),
            allow_dedicated_superuser=values.switch("POSTGATE_ALLOW_DEDICATED_SUPERUSER"),
            allow_standby=values.switch("POSTGATE_ALLOW_STANDBY"),
            status_by_sqlstate=values.switch("POSTGATE_STATUS_BY_SQLSTATE"),
            log_level=values.choice("POSTGATE_LOG_LEVEL", _LEVELS),
            log_format=values.choice("POSTGATE_LOG_FORMAT", _LOG_FORMATS),
            log_statements=values.choice("POSTGATE_LOG_STATEMENTS", _LOG_STATEMENTS),
            metrics_port=values.metrics_port(),
            metrics_host=values.text("POSTGATE_METRICS_HOST"),
            metrics_by_database=values.switch("POSTGATE_METRICS_BY_DATABASE"),
            server_timing=values.switch("POSTGATE_SERVER_TIMING"),
            slow_ms=values.number("POSTGATE_SLOW_MS", 0, 86_400_000),
        )


class SettingInForce(NamedTuple):
    """What a setting is at the moment; `source` is environment, .env or default."""

    name: str
    value: str
    source: str


def settings_in_force(environ: Mapping[str, str]) -> list[SettingInForce]:
    """Every setting, without a secret, whether or not its value is one that it can have.

    Raises:
        ConfigError: the .env file cannot be read.
    """
    given = _given(environ)
    found = []
    try:
        config = Config.from_env(environ)
        chosen = {"POSTGATE_WORKERS": str(config.workers), "POSTGATE_POOL_SIZE": str(config.pool_size)}
    except ConfigError:
        chosen = {}
    for name, default, _ in SETTINGS:
        value, source = given.get(name, ("", ""))
        if not value:
            value, source = default or chosen.get(name, ""), "default"
        if value and name == "DATABASE_URL":
            value = without_secrets(value)
        elif value and name == "POSTGRES_PASSWORD":
            value = "***"
        found.append(SettingInForce(name, value, source))
    return found


class _Values:
    """The given settings; an empty value counts as none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        given = _given(environ)
        for name in given:
            if name.startswith("POSTGATE_") and name not in _DEFAULTS and not _NOT_OURS.fullmatch(name):
                raise ConfigError(_misspelt(name))
        self._set = {name: text for name, (text, _) in given.items() if name in _DEFAULTS and text}

    def has(self, name: str) -> bool:
        return name in self._set

    def text(self, name: str) -> str:
        return self._set.get(name, _DEFAULTS[name])

    def unicode(self, name: str) -> str:
        text = self.text(name)
        try:
            text.encode()
        except UnicodeEncodeError:
            # Bytes of the environment that are no text come as lone surrogates.
            raise ConfigError(f"{name} takes text in UTF-8") from None
        return text

    def whole(self, name: str, least: int, most: int, default: int | None = None) -> int:
        if default is not None and name not in self._set:
            return default
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise ConfigError(f"{name} takes a whole number from {least} to {most}, not {text!r}")
        return int(text)

    def number(self, name: str, least: float, most: float) -> float:
        text = self.text(name)
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise ConfigError(f"{name} takes a number from {least:g} to {most:g}, not {text!r}")
        return number

    def megabytes(self, name: str, least: float, most: float) -> int | None:
        """Bytes, or None when it is not set."""
        return int(self.number(name, least, most) * MEGABYTE) if name in self._set else None

    def switch(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in _SWITCH:
            raise ConfigError(f"{name} takes true or false, not {text!r}")
        return _SWITCH[text]

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        text = self.text(name).lower()
        if text not in choices:
            raise ConfigError(f"{name} takes one of {', '.join(filter(None, choices))}, not {text!r}")
        return text

    def metrics_port(self) -> int | None:
        if not self.has("POSTGATE_METRICS_PORT"):
            return None
        port = self.whole("POSTGATE_METRICS_PORT", 1, 65535)
        if port == self.whole("POSTGATE_PORT", 0, 65535):
            raise ConfigError("POSTGATE_METRICS_PORT must be another port than POSTGATE_PORT: it tells what clients do")
        return port

    def conninfo(self) -> str | None:
        if url := self._set.get("DATABASE_URL"):
            if is_malformed(url):
                raise ConfigError(
                    "DATABASE_URL takes a connection string such as postgresql://user:password@host:5432/name;"
                    " percent-encode special characters in it"
                )
            return url
        if not any(f"POSTGRES_{part}" in self._set for part in _PARTS.values()):
            return None
        self.whole("POSTGRES_PORT", 1, 65535)
        parts = {key: self.unicode(f"POSTGRES_{part}") for key, part in _PARTS.items()}
        return make_conninfo("", **{key: value for key, value in parts.items() if value})


def _misspelt(name: str) -> str:
    # With what all begin with, a name is near to any.
    short = {known.removeprefix("POSTGATE_"): known for known in _DEFAULTS}
    nearest = [short[found] for found in get_close_matches(name.removeprefix("POSTGATE_"), short, n=1)]
    return f"{name} is no setting" + (f": did you mean {nearest[0]}?" if nearest else "; `postgate config` lists them")


def _workers(conninfo: str | None) -> int:
    """As many as keep the processors busy: for a request PostgreSQL works about as long as we do."""
    processors = _processors()
    if conninfo is None or is_local(conninfo):
        processors //= 2
    return max(1, min(processors, 8))


def _processors_beside(conninfo: str | None) -> int:
    """The most slow statements of a database while others ask too: they leave one of PostgreSQL's processors to the
    others, where it is known how many it has."""
    return max(1, _processors() - 1) if conninfo is None or is_local(conninfo) else MOST_AT_ONCE


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _given(environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What stands in the environment, and in the .env file that it hides: by its name the text, and where it stands."""
    given = {name: (text.strip(), ".env") for name, text in _dotenv().items()}
    given |= {name: (text.strip(), "environment") for name, text in environ.items()}
    if given.get("POSTGATE_PORT", ("", ""))[0].startswith(("tcp://", "udp://")):
        del given["POSTGATE_PORT"]
    return given


def _dotenv() -> dict[str, str]:
    path = Path(".env")
    try:
        values = dotenv_values(path) if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the file .env cannot be read: {type(error).__name__}") from None
    return {name: value for name, value in values.items() if value is not None}
