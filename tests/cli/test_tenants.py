"""The commands for databases and tokens as an operator and a script use them."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cli.test_cli import POSTGATE, Run, assert_fails, run, url_of
from support.processes import environment, execute
from support.service import Service
from support.terminal import a_terminal

__all__ = ["run"]
Ask = Callable[..., Any]


@pytest.fixture
def ask(run: Run) -> Ask:
    """What a command says with --json."""

    def ask(*arguments: str) -> Any:
        done = run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture
def shop(ask: Ask) -> dict[str, Any]:
    shop: dict[str, Any] = ask("create-db", "shop")
    return shop


def test_databases_are_listed_and_shown(run: Run, ask: Ask, shop: dict[str, Any]) -> None:
    ask("gen-token", "shop", "web")
    listed = {row["name"]: row for row in ask("list-dbs")}
    assert listed.keys() == {"postgate_admin", "shop"}
    assert (listed["shop"]["id"], listed["shop"]["tokens"], listed["shop"]["backend"]) == (shop["id"], 1, "schema")
    assert (ask("show-db", shop["id"])["tokens"], ask("show-db", "shop")["max_rows"]) == (["web"], 1000)
    table = run("list-dbs").stdout.splitlines()
    assert re.match(r"id +name +backend +schema +max_rows +created_at +tokens$", table[0])
    assert re.match(r"[0-9a-f-]{36} +shop +schema +tenant_\w+ +1000 +\d{4}-.+ +1$", table[3])
    assert re.search(r"^max_concurrency$", run("show-db", "shop").stdout, re.MULTILINE)


def test_a_database_is_changed(run: Run, ask: Ask, shop: dict[str, Any]) -> None:
    changed = ask("change-db", "shop", "--name", "store", "--max-rows", "5", "--statements-per-second", "10")
    assert (changed["id"], changed["name"], changed["max_rows"]) == (shop["id"], "store", 5)
    assert changed["statements_per_second"] == 10
    assert ask("change-db", "store", "--statements-per-second", "none")["statements_per_second"] is None
    for arguments, reason in (
        ((), "at least one option"),
        (("--max-rows", "none"), "whole number, not 'none'"),
        (("--max-rows", "0"), "must be at least 1"),
        (("--work-mem-kb", "1"), "violates check constraint"),
        (("--name", " "), "must not be empty"),
        (("--dedicated", "dbname=x"), "cannot connect|no dedicated"),
    ):
        done = run("change-db", "store", *arguments)
        assert done.returncode != 0
        assert re.search(reason, done.stderr), done.stderr
    assert ask("show-db", "store")["max_rows"] == 5


def test_a_database_is_deleted_when_that_is_confirmed(run: Run, shop: dict[str, Any], connection: Any) -> None:
    refused = run("delete-db", "shop")
    assert (refused.returncode, "Aborted" in refused.stderr) == (1, True)
    assert shop["schema_name"] in refused.stderr
    done = run("delete-db", "shop", "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    gone = "SELECT to_regnamespace(%s), (SELECT count(*) FROM postgate_databases WHERE name = 'shop')"
    assert connection.execute(gone, [shop["schema_name"]]).fetchone() == (None, 0)
    assert_fails(run("delete-db", "shop", "-y"), "there is no database 'shop'")
    assert_fails(run("delete-db", "postgate_admin", "-y"), "admin database cannot be deleted")


def test_of_a_name_that_exists_another_one_is_made_only_when_asked_for(
    run: Run, ask: Ask, shop: dict[str, Any], connection: Any
) -> None:
    assert_fails(run("create-db", "shop"), f"already .{shop['id']}.; --if-not-exists .*--yes")
    again = run("create-db", "shop", "--if-not-exists")
    assert (again.returncode, again.stdout) == (0, f"{shop['id']}\n")
    assert "there already" in again.stderr
    other = ask("create-db", "shop", "--yes")
    assert other["id"] != shop["id"]
    for command in (["create-db", "shop", "--if-not-exists"], ["gen-token", "shop"]):
        assert_fails(run(*command), "there are 2 databases 'shop'; give the id of one")
    assert ask("create-db", "new", "--if-not-exists")["name"] == "new"
    assert connection.execute("SELECT count(*) FROM postgate_databases").fetchone() == (4,)


@pytest.mark.parametrize(("answer", "status", "count"), [(b"y\n", 0, 2), (b"n\n", 1, 1)])
def test_a_person_is_asked(
    conninfo: str, shop: dict[str, Any], connection: Any, tmp_path: Path, answer: bytes, status: int, count: int
) -> None:
    with a_terminal([*POSTGATE, "create-db", "shop"], tmp_path, DATABASE_URL=url_of(conninfo)) as terminal:
        terminal.read_until("Make another one? [y/N]")
        terminal.type(answer)
        assert terminal.end() == status
    counted = connection.execute("SELECT count(*) FROM postgate_databases WHERE name = 'shop'").fetchone()
    assert counted == (count,)


def test_two_at_once_make_one(conninfo: str, connection: Any, tmp_path: Path) -> None:
    command = [*POSTGATE, "create-db", "one", "--if-not-exists"]
    both = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(DATABASE_URL=url_of(conninfo)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    printed = {process.communicate(timeout=60)[0] for process in both}
    assert len(printed) == 1
    assert connection.execute("SELECT count(*) FROM postgate_databases WHERE name = 'one'").fetchone() == (1,)


@pytest.mark.parametrize("from_stdin", [False, True])
def test_a_dedicated_database_is_tried_first(
    conninfo: str, empty: str, connection: Any, tmp_path: Path, from_stdin: bool
) -> None:
    def create(dedicated: str) -> subprocess.CompletedProcess[str]:
        arguments = ["create-db", "far", "-m", "9", "-d", "-" if from_stdin else dedicated]
        return execute([*POSTGATE, *arguments], tmp_path, f"{dedicated}\n", DATABASE_URL=url_of(conninfo))

    assert_fails(create("host=127.0.0.1 port=1 password=s3cret"), "cannot connect to .*:1: .*refused")
    assert_fails(create("postgresql://u:s3cret%ff@127.0.0.1/x"), "malformed")
    assert connection.execute("SELECT count(*) FROM postgate_databases").fetchone() == (1,)
    done = create(f"{empty} password=s3cret")
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stderr
    assert done.stderr.endswith("Backend: dedicated\n")
    query = "SELECT name, backend_type, schema_name, connection_string, max_rows FROM postgate_databases WHERE id = %s"
    row = connection.execute(query, [done.stdout.strip()]).fetchone()
    assert row == ("far", "dedicated", None, f"{empty} password=s3cret", 9)
    shown = execute([*POSTGATE, "show-db", "far"], tmp_path, DATABASE_URL=url_of(conninfo))
    assert "password=***" in shown.stdout
    assert "s3cret" not in shown.stdout


def test_tokens_are_listed_changed_and_revoked(run: Run, ask: Ask, shop: dict[str, Any], service: Service) -> None:
    made = ask("gen-token", "shop", "web", "-p", "read")
    assert (made["database"], made["name"], made["operations"]) == ("shop", "web", ["SELECT"])
    assert made["token"].startswith("pg_" + made["prefix"].removeprefix("pg_"))
    service.query("CREATE TABLE t (a int)", token=service.token(shop["id"], "all", ("CREATE",)))
    insert = "INSERT INTO t VALUES (1)"
    assert service.query(insert, token=made["token"]).json["reason"] == "operation_denied"
    changed = ask("change-token", "shop", "web", "--name", "api", "-p", "write", "--expires", "30d")
    assert (changed["name"], changed["operations"]) == ("api", ["SELECT", "INSERT", "UPDATE", "DELETE"])
    ends = datetime.fromisoformat(changed["expires_at"])
    assert timedelta(days=29) < ends - datetime.now(UTC) <= timedelta(days=30)
    # The same token.
    assert service.query(insert, token=made["token"]).status == 200
    assert [row["name"] for row in ask("list-tokens", "shop")] == ["all", "api"]
    assert len(ask("list-tokens")) == 3
    table = run("list-tokens", "shop").stdout
    assert re.match(r"database +name +prefix +operations +last_used_at +expires_at\n", table)
    assert made["token"] not in table
    assert ask("change-token", "shop", "api", "--expires", "never")["expires_at"] is None
    assert run("revoke-token", "shop", "api").returncode == 0
    assert service.query(insert, token=made["token"]).code == "UNAUTHORIZED"
    for command in ("revoke-token", "change-token"):
        arguments = ["--name", "x"] if command == "change-token" else []
        assert_fails(run(command, "shop", "api", *arguments), "no token 'api'; `postgate list-tokens`")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("30d", 30 * 86400), ("12h", 12 * 3600), ("45m", 45 * 60), ("2w", 14 * 86400), ("2999-01-31T12:00", None)],
)
def test_a_token_expires(ask: Ask, shop: dict[str, Any], given: str, seconds: int | None) -> None:
    at = datetime.fromisoformat(ask("gen-token", "shop", "--expires", given)["expires_at"])
    if seconds is None:
        assert at == datetime(2999, 1, 31, 12, tzinfo=UTC)
    else:
        assert abs((at - datetime.now(UTC)).total_seconds() - seconds) < 60


@pytest.mark.parametrize("given", ["soon", "30", "-1d", "2001-01-01", "999999999d", "2027-13-01"])
def test_a_time_that_is_none(run: Run, shop: dict[str, Any], given: str) -> None:
    done = run("gen-token", "shop", f"--expires={given}")
    assert done.returncode == 2
    assert re.search("is no time; give one as|is over already", done.stderr), done.stderr


def test_config_shows_every_setting_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("POSTGATE_THREADS=7\nPOSTGATE_PORT=1\nPOSTGATE_MAX_BATCH=9\n")

    def config(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return execute([*POSTGATE, "config", *arguments], tmp_path, **settings)

    url = "postgresql://ann:s3cret%40word@db.example/shop?sslpassword=s3cret2"
    done = config("--json", DATABASE_URL=url, POSTGRES_PASSWORD="s3cret3", POSTGATE_PORT="4000", POSTGATE_MAX_BATCH="")  # noqa: S106
    assert done.returncode == 0
    assert "s3cret" not in done.stdout
    settings = {row.pop("name"): row for row in json.loads(done.stdout)}
    assert settings["POSTGATE_PORT"] == {"value": "4000", "source": "environment"}
    assert settings["POSTGATE_THREADS"] == {"value": "7", "source": ".env"}
    # An empty value in the environment hides the one of the file, and is none.
    assert settings["POSTGATE_MAX_BATCH"] == {"value": "1000", "source": "default"}
    assert settings["MAX_BODY_SIZE_MB"] == {"value": "10", "source": "default"}
    assert settings["POSTGRES_PASSWORD"] == {"value": "***", "source": "environment"}
    assert int(settings["POSTGATE_WORKERS"]["value"]) >= 1
    assert "user=ann" in settings["DATABASE_URL"]["value"]
    assert re.search(r"^POSTGATE_THREADS +7 +\.env$", config().stdout, re.MULTILINE)
    wrong = config(POSTGATE_THREADS="x")
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "Error: POSTGATE_THREADS takes a whole number from 1 to 1024, not 'x'\n",
    )
    assert re.search(r"^POSTGATE_THREADS +x +environment$", wrong.stdout, re.MULTILINE)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_the_commands(tmp_path: Path, shell: str) -> None:
    program = Path(POSTGATE[0]).with_name("postgate")
    done = execute([str(program)], tmp_path, _POSTGATE_COMPLETE=f"{shell}_source")
    assert "_POSTGATE_COMPLETE" in done.stdout, done.stderr


def test_the_upkeep_speaks_json_too(ask: Ask, connection: psycopg.Connection) -> None:
    checks = {check["name"]: check for check in ask("doctor")}
    assert checks["revision"]["mark"] == "ok"
    migrated = ask("migrate")
    assert migrated["before"] == migrated["after"] == checks["revision"]["state"]
