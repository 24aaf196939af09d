"""`postgate sql` as a subprocess."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cli.test_cli import assert_fails, url_of
from support.processes import execute

Run = Callable[..., subprocess.CompletedProcess[str]]
SCRIPT = """-- A migration.
CREATE TYPE mood AS ENUM ('well', 'ill');
CREATE TABLE people (id serial PRIMARY KEY, name text, m mood);
INSERT INTO people (name, m) VALUES ('Ann; "A"', 'well'), ('Bob', NULL);
SELECT id, name, m FROM people ORDER BY id;
"""


@pytest.fixture
def tenant(connection: psycopg.Connection) -> tuple[str, str]:
    """Its id and its schema."""
    row = connection.execute("SELECT id::text, schema_name FROM create_tenant_database('shop')").fetchone()
    assert row is not None
    return row


@pytest.fixture
def sql(conninfo: str, tmp_path: Path) -> Run:
    """Run `postgate sql` with these arguments on this test's database."""

    def run(*arguments: str, script: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "postgate", "sql", *arguments]
        return execute(command, tmp_path, script, DATABASE_URL=url_of(conninfo), **settings)

    return run


def tokens(connection: psycopg.Connection) -> list[Any]:
    return connection.execute("SELECT name FROM postgate_tokens WHERE name LIKE 'postgate sql%'").fetchall()


def test_a_script_is_run_and_its_rows_are_shown(
    sql: Run, tenant: tuple[str, str], connection: psycopg.Connection
) -> None:
    done = sql(tenant[0], "-", script=SCRIPT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        'CREATE\nCREATE\nINSERT 2\nid  name      m\n--  --------  ----\n1   Ann; "A"  well\n2   Bob\n(2 rows)\n'
    )
    assert tokens(connection) == []
    owner = connection.execute("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'people'").fetchone()
    assert owner is not None
    assert owner[0].endswith("_owner")


def test_a_file_in_other_shapes(sql: Run, tenant: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "make.sql").write_bytes(b"\xef\xbb\xbf" + SCRIPT.encode())
    done = sql("shop", "make.sql", "--csv")
    assert (done.returncode, done.stdout) == (0, 'id,name,m\n1,"Ann; ""A""",well\n2,Bob,\n')
    done = sql("shop", "--json", "-c", "SELECT 12345678901234567890.10 AS n; BEGIN; SELECT 2 AS a; COMMIT")
    assert done.stdout == (
        '{"results":[{"rows":[{"n":12345678901234567890.10}],"row_count":1}]}\n'
        '{"results":[{"rows":[{"a":2}],"row_count":1}]}\n'
    )
    done = sql("shop", "--csv", "-c", "SELECT 1 AS a; BEGIN; SELECT 2 AS b; COMMIT")
    assert done.stdout == "a\n1\n\nb\n2\n"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "CREATE TABLE a (n int);\nINSERT INTO a\n  VALUES ('x');",
            r'<stdin>, line 3: invalid input syntax .*: "x" (22P02)',
        ),
        ("SELECT 1;\nSELECT 1,\n  pg_sleep(1);", "<stdin>, line 3: Parse error: Function pg_sleep is not allowed"),
        ("SELECT 1;\n\nSELECT nothing;", '<stdin>, line 3: column "nothing" does not exist (42703)'),
        ("SELECT 1;\nSELECT 'a;", "<stdin>, line 2: unterminated quoted string"),
        (
            "SELECT 1;\nSELECT $1::int",
            "<stdin>, line 2: Parse error: the statement has 1 placeholders, but 0 parameters",
        ),
        (
            "CREATE TABLE kept (a int);\nBEGIN;\nSELECT 1/0;\nCOMMIT;\nSELECT 1",
            "<stdin>, line 3: division by zero (22012) (the transaction before it is committed)",
        ),
    ],
)
def test_the_statement_that_failed_is_named_by_its_line(
    sql: Run, tenant: tuple[str, str], connection: psycopg.Connection, script: str, message: str
) -> None:
    done = sql("shop", "-", script=script)
    assert done.returncode == 1
    for part in message.split(".*"):
        assert part in done.stderr
    assert re.fullmatch(r"(Database: .*\n)?Error: .*\n", done.stderr), done.stderr
    made = connection.execute("SELECT to_regclass(%s), to_regclass(%s)", [f"{tenant[1]}.a", f"{tenant[1]}.kept"])
    assert (made.fetchone() or ())[0] is None
    assert tokens(connection) == []


def test_a_constraint_that_fails_at_the_commit(sql: Run, tenant: tuple[str, str]) -> None:
    script = "CREATE TABLE l (a int UNIQUE DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO l VALUES (1), (1);"
    done = sql("shop", "-", script=script)
    assert "<stdin>, line 2: the batch that ends here failed: duplicate key value" in done.stderr


def test_a_rollback_only_tries(sql: Run, tenant: tuple[str, str], connection: psycopg.Connection) -> None:
    done = sql("shop", "-c", "BEGIN; CREATE TABLE tried (a int); SELECT a FROM tried; ROLLBACK")
    assert (done.returncode, done.stdout) == (0, "CREATE\na\n-\n(0 rows)\n")
    assert connection.execute("SELECT to_regclass(%s)", [f"{tenant[1]}.tried"]).fetchone() == (None,)


def test_a_script_has_the_permissions_that_it_is_given(sql: Run, tenant: tuple[str, str]) -> None:
    done = sql("shop", "-p", "select", "-c", "CREATE TABLE a (n int)")
    assert_fails(done, "Error: -c, line 1: Parse error: Operation CREATE is not allowed; the token has SELECT")


def test_a_long_script_says_how_far_it_is(sql: Run, tenant: tuple[str, str]) -> None:
    script = "CREATE TABLE n (a int);\n" + "INSERT INTO n VALUES (1);\n" * 2_500 + "SELECT count(*) FROM n"
    done = sql("shop", "-", "--json", script=script)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"][-1]["rows"] == [{"count": 2500}]
    assert "2502 statements" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", "-c", "SELECT 1"), "there is no database 'nobody'"),
        (("shop",), "give one of FILE, - and -c TEXT"),
        (("shop", "-", "-c", "SELECT 1"), "give one of FILE, - and -c TEXT"),
        (("shop", "missing.sql"), "missing.sql"),
        (("shop", "--csv", "--json", "-c", "SELECT 1"), "give one of --csv and --json"),
        (("shop", "-p", "GRANT", "-c", "SELECT 1"), "'GRANT' is not a permission"),
    ],
)
def test_wrong_arguments(sql: Run, tenant: tuple[str, str], arguments: tuple[str, ...], message: str) -> None:
    done = sql(*arguments)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_two_databases_of_one_name(sql: Run, tenant: tuple[str, str], connection: psycopg.Connection) -> None:
    connection.execute("SELECT create_tenant_database('shop')")
    done = sql("shop", "-c", "SELECT 1")
    assert "there are 2 databases 'shop'; give the id of one" in done.stderr
    assert sql(tenant[0].upper(), "-c", "SELECT 1").returncode == 0
