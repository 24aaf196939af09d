import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.catalog import schema_of
from support.service import a_service

from postgate.metadata import migrate
from postgate.metadata.models import Base


def test_up_down_and_up_again_ends_in_the_same_schema(empty: str) -> None:
    before = schema_of(empty)
    migrate.upgrade(empty)
    migrated = schema_of(empty)
    migrate.downgrade(empty, "base")
    assert schema_of(empty) == before
    migrate.upgrade(empty)
    assert schema_of(empty) == migrated


def test_upgrading_twice_changes_nothing(conninfo: str) -> None:
    before = schema_of(conninfo)
    migrate.upgrade(conninfo)
    assert schema_of(conninfo) == before


def test_the_models_describe_what_the_revisions_build(conninfo: str) -> None:
    with migrate.locked(conninfo) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or name in Base.metadata.tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_current_is_none_then_head(empty: str) -> None:
    assert migrate.current(empty) is None
    migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()


def test_many_processes_at_once_migrate_once(empty: str) -> None:
    code = "import sys; from postgate.metadata import migrate; migrate.upgrade(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", code, empty], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert migrate.current(empty) == migrate.head()


def test_a_failed_migration_leaves_nothing(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE VIEW public.postgate_tokens AS SELECT 1")
    before = schema_of(empty)
    with pytest.raises(migrate.MigrationError, match="postgate_tokens"):
        migrate.upgrade(empty)
    assert schema_of(empty) == before


def test_a_database_ahead_of_this_version_is_refused_in_one_line(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("UPDATE public.postgate_alembic_version SET version_num = '9999'")
    with pytest.raises(migrate.MigrationError, match=r"9999.*ahead") as caught:
        migrate.upgrade(conninfo)
    assert "\n" not in str(caught.value)


def test_settings_of_the_role_do_not_stop_a_migration(empty: str) -> None:
    strict = make_conninfo(
        empty, options="-c default_transaction_isolation=serializable -c statement_timeout=50 -c search_path=pg_catalog"
    )
    with migrate.locked(empty):
        waiting = threading.Thread(target=migrate.upgrade, args=[strict])
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join()
    assert migrate.current(empty) == migrate.head()


def test_the_migration_does_not_configure_logging(empty: str) -> None:
    code = """
import logging, sys
from postgate.metadata import migrate
migrate.upgrade(sys.argv[1])
assert not logging.getLogger().handlers and logging.getLogger().level == logging.WARNING
assert all(type(handler) is logging.NullHandler for handler in logging.getLogger("alembic").handlers)
"""
    done = subprocess.run([sys.executable, "-c", code, empty], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_scripts_are_found_from_any_directory(empty: str, tmp_path: Path) -> None:
    code = "import sys; from postgate.metadata import migrate; migrate.upgrade(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, empty], cwd=tmp_path, check=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dbname": "no_such_database"}, "does not exist"),
        ({"user": "no_such_role"}, r"does not exist|authentication failed|no pg_hba"),
    ],
    ids=["database", "role"],
)
def test_what_waiting_cannot_mend_fails_at_once(server: str, change: dict[str, str], reason: str) -> None:
    lines: list[str] = []
    with pytest.raises(migrate.MigrationError, match=reason):
        migrate.wait_for_database(make_conninfo(server, **change), lines.append)
    assert lines == []


@pytest.mark.parametrize(
    "conninfo",
    [
        "no conninfo at all",
        "postgresql://user:s3cret@word@127.0.0.1:1/db",
        "postgresql://user:s3cret/word@127.0.0.1:1/db",
        "postgresql://user:12/s3cret@127.0.0.1:1/db",
        "postgresql://user:s3cret%zz@127.0.0.1:1/db",
    ],
)
def test_a_malformed_conninfo_fails_at_once_and_is_not_shown(conninfo: str) -> None:
    with pytest.raises(migrate.MigrationError, match="malformed") as caught:
        migrate.wait_for_database(conninfo, print)
    assert "s3cret" not in str(caught.value) and "word" not in str(caught.value).replace("password", "")


def test_waiting_is_reported_once_a_minute_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    class Enough(Exception):
        pass

    now = 0.0
    told: list[tuple[float, str]] = []

    def sleep(_: float) -> None:
        nonlocal now
        now += 1
        if now > 130:
            raise Enough

    monkeypatch.setattr("postgate.observe.events.time.monotonic", lambda: now)
    monkeypatch.setattr("postgate.metadata.migrate.time.sleep", sleep)
    with pytest.raises(Enough):
        migrate.wait_for_database("postgresql://user:refused@127.0.0.1:1/db", lambda line: told.append((now, line)))
    assert [when for when, _ in told] == [0, 60, 120]
    assert all(line.startswith("waiting for PostgreSQL: ") for _, line in told)
    assert not any("refused@" in line or "user:" in line for _, line in told)


def test_waiting_ends_when_the_database_answers(server: str) -> None:
    migrate.wait_for_database(server, pytest.fail)


def test_tenants_of_the_first_revision_get_their_roles(empty: str, tmp_path: Path) -> None:
    migrate.upgrade(empty, "0001")
    tenants = []
    with psycopg.connect(empty, autocommit=True) as connection:
        for number in range(migrate.MANY_TENANTS + 1):
            create = "SELECT id, schema_name FROM create_tenant_database(%s)"
            ((database, schema),) = connection.execute(create, [f"t{number}"]).fetchall()
            ((token,),) = connection.execute("SELECT token FROM create_tenant_token(%s)", [database]).fetchall()
            connection.execute(f"CREATE TABLE {schema}.kept (a serial, b int)".encode())
            connection.execute(f"CREATE TYPE {schema}.e AS ENUM ('x')".encode())
            connection.execute(f"CREATE VIEW {schema}.seen AS SELECT * FROM {schema}.kept".encode())
            tenants.append((database, schema, token))
    done = subprocess.run(
        [sys.executable, "-m", "postgate", "migrate"],
        env={**os.environ, "DATABASE_URL": f"postgresql:///?{urlencode(conninfo_to_dict(empty))}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"Giving {len(tenants)} tenants their roles" in done.stderr
    with a_service(empty) as service:
        for database, schema, token in tenants:
            assert service.query("INSERT INTO kept (b) VALUES (1) RETURNING a", token=token).rows == [{"a": 1}]
            assert service.query("SELECT b FROM seen", token=token).rows == [{"b": 1}]
            changer = service.token(database, "changer", ("ALTER", "DROP"))
            assert service.query("ALTER TYPE e ADD VALUE 'y'", token=changer).status == 200
            assert service.query("DROP TABLE kept CASCADE", token=changer).status == 200
            owners = f"SELECT count(*) FROM pg_class WHERE relnamespace = '{schema}'::regnamespace"
            assert service.execute(owners) == [(0,)]
