"""Settings: every one is documented, checked at start, and never shown when it is a secret."""

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from support.paths import ROOT

from postgate.config import MEGABYTE, MOST_AT_ONCE, SETTINGS, Config, ConfigError

README = ROOT / "README.md"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a .env file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_lists_the_settings() -> None:
    table = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README.read_text(), re.MULTILINE)
    assert table == [(s.name, f"`{s.default}`" if s.default else "", s.meaning) for s in SETTINGS]


def test_defaults() -> None:
    config = Config.from_env({})
    assert (config.conninfo, config.data_dir, config.host, config.port) == (None, Path("data"), "127.0.0.1", 3000)
    assert (config.max_body_bytes, config.statement_timeout_ms) == (10 * MEGABYTE, 30_000)
    assert not config.skip_migrations
    assert 1 <= config.workers <= 8
    # What is made without an environment, in tests, has the same defaults, but for what the machine tells.
    same = [field.name for field in fields(Config) if field.name not in ("workers", "slow_concurrency")]
    assert [getattr(config, name) for name in same] == [getattr(Config(), name) for name in same]


def test_empty_values_count_as_none() -> None:
    assert Config.from_env({setting.name: " " for setting in SETTINGS}) == Config.from_env({})


def test_the_parts_of_a_connection() -> None:
    given = {"POSTGRES_HOST": "db", "POSTGRES_PASSWORD": "a b'\\@/", "POSTGRES_PORT": "5433"}
    config = Config.from_env(given)
    assert conninfo_to_dict(config.conninfo or "") == {
        "host": "db",
        "port": "5433",
        "user": "postgres",
        "password": "a b'\\@/",
        "dbname": "postgate",
    }


def test_the_url_wins_over_the_parts() -> None:
    url = "postgresql://u:p@h/db"
    assert Config.from_env({"DATABASE_URL": url, "POSTGRES_HOST": "other"}).conninfo == url


def test_the_environment_wins_over_the_file(nowhere: Path) -> None:
    (nowhere / ".env").write_text("POSTGATE_PORT=4000\nPOSTGATE_HOST='0.0.0.0'\nOTHER=1\n")
    config = Config.from_env({"POSTGATE_PORT": "5000"})
    assert (config.host, config.port) == ("0.0.0.0", 5000)  # noqa: S104


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGATE_PORT", "x"),
        ("POSTGATE_PORT", "65536"),
        ("POSTGATE_PORT", "-1"),
        ("POSTGATE_PORT", "³"),
        ("POSTGATE_WORKERS", "0"),
        ("POSTGATE_THREADS", "1.5"),
        ("POSTGATE_POOL_SIZE", "0"),
        ("POSTGATE_POOL_TIMEOUT", "0"),
        ("POSTGATE_POOL_IDLE", "soon"),
        ("MAX_BODY_SIZE_MB", "0"),
        ("MAX_BODY_SIZE_MB", "nan"),
        ("POSTGATE_MAX_RESULT_MB", "inf"),
        ("POSTGATE_EMBEDDED_MEMORY_MB", "100"),
        ("POSTGATE_STATEMENT_TIMEOUT", "-1"),
        ("POSTGATE_SKIP_MIGRATIONS", "maybe"),
        ("POSTGATE_LOG_LEVEL", "loud"),
        ("POSTGRES_PORT", "x"),
        ("DATABASE_URL", "mysql://h/db"),
        ("DATABASE_URL", "postgresql://user:s3cret@word@host/db"),
        ("DATABASE_URL", "host=h password='s3cret"),
        ("DATABASE_URL", "postgresql://user:s3cret%ff@host/db"),
        ("DATABASE_URL", "postgresql://user:s3cret%zz@host/db"),
        ("DATABASE_URL", "postgresql://user:s3cret\udcff@host/db"),
        ("POSTGRES_PASSWORD", "s3cret\udcff"),
    ],
)
def test_a_wrong_value_names_its_setting(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} takes ") as raised:
        Config.from_env({name: value})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("POSTGATE_PROT", "POSTGATE_PORT"),
        ("POSTGATE_POOLSIZE", "POSTGATE_POOL_SIZE"),
        ("POSTGATE_WORKER", "POSTGATE_WORKERS"),
        ("POSTGATE_DATABASE_URL", "DATABASE_URL"),
        ("POSTGATE_MAX_BODY_SIZE_MB", "MAX_BODY_SIZE_MB"),
        ("POSTGATE_LOGLEVEL", "POSTGATE_LOG_LEVEL"),
        ("POSTGATE_STATEMENT_TIMEOUT_S", "POSTGATE_STATEMENT_TIMEOUT"),
    ],
)
def test_a_misspelt_name_gets_the_nearest(nowhere: Path, name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is no setting: did you mean {nearest}\\?$"):
        Config.from_env({name: "1"})
    (nowhere / ".env").write_text(f"{name}=\n")
    with pytest.raises(ConfigError, match=nearest):
        Config.from_env({})


def test_a_name_like_no_other_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^POSTGATE_XYZZY is no setting; `postgate config` lists them$"):
        Config.from_env({"POSTGATE_XYZZY": ""})


def test_names_of_others_are_left_alone() -> None:
    kubernetes = {
        "POSTGATE_SERVICE_HOST": "10.0.0.1",
        "POSTGATE_SERVICE_PORT": "3000",
        "POSTGATE_SERVICE_PORT_HTTP": "3000",
        "POSTGATE_PORT": "tcp://10.0.0.1:3000",
        "POSTGATE_PORT_3000_TCP": "tcp://10.0.0.1:3000",
        "POSTGATE_PORT_3000_TCP_ADDR": "10.0.0.1",
    }
    clients = {"POSTGATE_URL": "http://127.0.0.1:3000", "POSTGATE_TOKEN": "pg_1"}
    assert Config.from_env(kubernetes | clients) == Config.from_env({})


def test_an_unreadable_file_is_named(nowhere: Path) -> None:
    (nowhere / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigError, match=r"\.env"):
        Config.from_env({})


def test_no_secret_is_shown() -> None:
    assert "s3cret" not in repr(Config.from_env({"DATABASE_URL": "postgresql://u:s3cret@h/db"}))


@pytest.mark.parametrize(
    ("conninfo", "local"),
    [
        ("", True),
        ("postgresql:///postgate", True),
        ("postgresql://me@localhost/postgate", True),
        ("host=/run/postgresql", True),
        ("host=127.0.0.2 hostaddr=127.0.0.2", True),
        ("postgresql://[::1]:5433/a", True),
        ("postgresql://db.example.com/a", False),
        ("host=localhost hostaddr=10.0.0.1", False),
        ("host=localhost,db2", False),
    ],
)
def test_beside_postgresql_there_are_half_as_many_workers(
    conninfo: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    assert Config.from_env({"DATABASE_URL": conninfo}).workers == (3 if local else 6)
    assert Config.from_env({"DATABASE_URL": conninfo, "POSTGATE_WORKERS": "5"}).workers == 5
    # Slow statements leave one of them, where they are PostgreSQL's.
    assert Config.from_env({"DATABASE_URL": conninfo}).slow_concurrency == (5 if local else MOST_AT_ONCE)
    told = Config.from_env({"DATABASE_URL": conninfo, "POSTGATE_DATABASE_CONCURRENCY": "3"})
    assert (told.max_concurrency, told.slow_concurrency) == (3, MOST_AT_ONCE)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert Config.from_env({"DATABASE_URL": conninfo}).workers == 1


@pytest.mark.parametrize(("workers", "size"), [("1", 16), ("5", 16), ("8", 10), ("64", 4)])
def test_all_workers_together_leave_postgresql_connections_for_others(workers: str, size: int) -> None:
    assert Config.from_env({"POSTGATE_WORKERS": workers}).pool_size == size
    assert Config.from_env({"POSTGATE_WORKERS": workers, "POSTGATE_POOL_SIZE": "30"}).pool_size == 30
