"""The command line as a subprocess, the way people use it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.catalog import schema_of
from support.paths import a_directory
from support.processes import execute, running

from postgate.metadata import migrate
from postgate.metadata.protections import PROTECTIONS

Run = Callable[..., subprocess.CompletedProcess[str]]
POSTGATE = [sys.executable, "-m", "postgate"]
FLASK = [sys.executable, "-m", "flask", "postgate"]
COMMANDS = ("serve", "sql", "migrate", "doctor", "config")
COMMANDS += ("create-db", "list-dbs", "show-db", "change-db", "delete-db")
COMMANDS += ("gen-token", "list-tokens", "change-token", "revoke-token")
PRINTED = "pg_[0-9a-f]{64}\n"


def url_of(conninfo: str) -> str:
    return f"postgresql:///?{urlencode(conninfo_to_dict(conninfo))}"


@pytest.fixture
def run(conninfo: str, tmp_path: Path) -> Run:
    """Run `postgate` with these arguments on this test's database."""
    settings = {"DATABASE_URL": url_of(conninfo)}
    return lambda *arguments, **more: execute([*POSTGATE, *arguments], tmp_path, **(settings | more))


def assert_fails(done: subprocess.CompletedProcess[str], reason: str) -> None:
    """Which database it is, if that is known, and one line on standard error, exit status 1, nothing else."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert re.fullmatch(r"(Database: .*\n)?Error: .*\n", done.stderr), done.stderr
    assert re.search(reason, done.stderr), done.stderr


@pytest.mark.parametrize("program", [POSTGATE, FLASK, [str(Path(sys.executable).with_name("postgate"))]])
def test_help_lists_the_commands(program: list[str], tmp_path: Path) -> None:
    done = execute([*program, "--help"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert [name for name in COMMANDS if not re.search(rf"^  {name}  ", done.stdout, re.MULTILINE)] == []


def test_what_takes_long_to_load_is_left_to_the_commands_that_need_it(tmp_path: Path) -> None:
    done = execute([sys.executable, "-c", "import sys, postgate.cli; print(*sys.modules)"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"flask", "gunicorn", "postgate.service", "postgate.validator"} & set(done.stdout.split()) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, tmp_path: Path) -> None:
    done = execute([*POSTGATE, command, "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: postgate {command} ")


@pytest.mark.parametrize("program", [POSTGATE, FLASK], ids=["postgate", "flask"])
def test_create_db_prints_the_id_and_gen_token_the_token(
    program: list[str], conninfo: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    url = url_of(conninfo)
    created = execute([*program, "create-db", "My shop", "-m", "5"], tmp_path, DATABASE_URL=url)
    assert created.returncode == 0, created.stderr
    identity = UUID(created.stdout.removesuffix("\n"))
    schema = f"tenant_{identity.hex}_my_shop"
    assert created.stderr.endswith(f"Schema: {schema}\n")
    row = connection.execute("SELECT name, schema_name, max_rows FROM postgate_databases WHERE id = %s", [identity])
    assert row.fetchone() == ("My shop", schema, 5)
    generated = execute([*program, "gen-token", str(identity)], tmp_path, DATABASE_URL=url)
    assert generated.returncode == 0, generated.stderr
    assert re.fullmatch(PRINTED, generated.stdout)


@pytest.mark.parametrize(
    ("arguments", "name", "operations"),
    [
        ([], "default", ["SELECT", "INSERT", "UPDATE", "DELETE"]),
        (["app"], "app", ["SELECT", "INSERT", "UPDATE", "DELETE"]),
        (["app", "-p", "select, DROP"], "app", ["SELECT", "DROP"]),
        (["app", "-p", "read"], "app", ["SELECT"]),
        (["app", "-p", "write,create,INSERT"], "app", ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"]),
        (["app", "-p", "ALL"], "app", ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"]),
        (["-p", ""], "default", []),
    ],
)
def test_gen_token_stores_name_and_permissions(
    run: Run, connection: psycopg.Connection, arguments: list[str], name: str, operations: list[str]
) -> None:
    assert re.fullmatch(PRINTED, run("gen-token", str(UUID(int=0)), *arguments).stdout)
    assert connection.execute("SELECT name, allowed_operations FROM postgate_tokens").fetchall() == [(name, operations)]


def test_gen_token_replaces_the_token_of_the_same_name(run: Run, connection: psycopg.Connection) -> None:
    done = [run("gen-token", str(UUID(int=0)), name) for name in ("app", "app", "other")]
    assert ["It replaces the token 'app' of this database" in each.stderr for each in done] == [False, True, False]
    tokens = [each.stdout for each in done]
    assert len(set(tokens)) == 3
    query = "SELECT name FROM postgate_tokens WHERE token_hash = encode(sha256(convert_to(%s, 'UTF8')), 'hex')"
    stored = [connection.execute(query, [token.strip()]).fetchall() for token in tokens]
    assert stored == [[], [("app",)], [("other",)]]


def test_a_token_stays_when_its_replacement_fails(run: Run, connection: psycopg.Connection) -> None:
    run("gen-token", str(UUID(int=0)))
    connection.execute("ALTER TABLE postgate_tokens ADD CHECK (allowed_operations <> '{DROP}')")
    assert_fails(run("gen-token", str(UUID(int=0)), "-p", "DROP"), "check constraint")
    assert connection.execute("SELECT count(*) FROM postgate_tokens").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["create-db", ""], "must not be empty"),
        (["create-db", "x" * 101], "too long"),
        (["create-db", "x", "-m", "0"], "max_rows must be at least 1"),
        (["create-db", "x", "-m", "99999999999"], "out of range"),
        (["create-db", "x", "-d", "no conninfo"], "malformed"),
        (["create-db", "x", "-d", "host=127.0.0.1 port=1 password=s3cret"], "cannot connect to .*127.0.0.1:1: "),
        (["gen-token", "nowhere"], "there is no database 'nowhere'; `postgate list-dbs` lists them"),
        (["gen-token", str(uuid4())], "there is no database"),
        (["gen-token", str(UUID(int=0)), ""], "must not be empty"),
        (["gen-token", str(UUID(int=0)), "-p", "SELECT,GRANT"], "'GRANT' is not a permission"),
    ],
)
def test_mistakes_get_one_line(run: Run, arguments: list[str], reason: str) -> None:
    assert_fails(run(*arguments), reason)


@pytest.mark.parametrize("arguments", [["create-db", "x"], ["gen-token", str(UUID(int=0))]])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@127.0.0.1:1/db",
        "postgresql://user:s3cret@word@127.0.0.1:1/db",
        "postgresql://user:12/s3cret@127.0.0.1:1/db",
        "host=127.0.0.1 port=1 user=s3cret password=s3cret",
    ],
)
def test_no_secret_is_printed(tmp_path: Path, arguments: list[str], url: str) -> None:
    done = execute([*POSTGATE, *arguments], tmp_path, DATABASE_URL=url)
    assert_fails(done, "")
    assert "s3cret" not in done.stderr


def test_a_wrong_setting_is_named(run: Run) -> None:
    assert_fails(run("doctor", POSTGATE_PORT="x"), "POSTGATE_PORT")


def test_migrate_brings_an_empty_database_to_the_head(empty: str, tmp_path: Path) -> None:
    for _ in range(2):
        done = execute([*POSTGATE, "migrate"], tmp_path, DATABASE_URL=url_of(empty))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert migrate.head() in done.stderr
    assert migrate.current(empty) == migrate.head()


CHANGE_NOTHING = (["create-db", "x"], ["gen-token", str(uuid4())], ["sql", "x", "-c", "SELECT 1"])


@pytest.mark.parametrize("command", CHANGE_NOTHING)
@pytest.mark.parametrize("revision", [None, "0003"])
def test_no_other_command_migrates(command: list[str], revision: str | None, empty: str, tmp_path: Path) -> None:
    if revision is not None:
        migrate.upgrade(empty, revision)
    done = execute([*POSTGATE, *command], tmp_path, DATABASE_URL=url_of(empty))
    assert_fails(done, "nothing of postgate's yet: .*postgate migrate" if revision is None else "at revision 0003, not")
    assert migrate.current(empty) == revision


def test_a_newer_database_is_left_alone(run: Run, connection: psycopg.Connection) -> None:
    connection.execute("UPDATE postgate_alembic_version SET version_num = '9999'")
    assert_fails(run("create-db", "x"), "revision 9999, which this version of postgate does not know")


STRANGERS = """CREATE TABLE "Orders" (id int); CREATE SCHEMA crm; CREATE TABLE crm.people (id int);
    CREATE VIEW crm.all_people AS SELECT * FROM crm.people; CREATE TABLE public.z (a int)"""


def test_another_applications_database_is_refused_and_can_be_had_back(empty: str, tmp_path: Path) -> None:
    def postgate(*arguments: str) -> subprocess.CompletedProcess[str]:
        return execute([*POSTGATE, *arguments], tmp_path, DATABASE_URL=url_of(empty), POSTGATE_PORT="0")

    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(STRANGERS.encode())
        before = schema_of(empty)
        for command in ("migrate", "serve"):
            done = postgate(command)
            assert_fails(
                done, r"somebody else's: it has 4 tables.*\(crm\.all_people, crm\.people, .*CREATE DATABASE.*--adopt"
            )
            assert schema_of(empty) == before
        adopted = postgate("migrate", "--adopt")
        assert adopted.returncode == 0, adopted.stderr
        assert schema_of(empty)["open to all"] != before["open to all"]
        created = postgate("create-db", "kept")
        schema = re.search(r"Schema: (\S+)", created.stderr)
        assert schema is not None
        connection.execute(f"CREATE TABLE {schema[1]}.t AS SELECT 1 AS a".encode())
        refused = postgate("migrate", "--undo")
        assert (refused.returncode, "Aborted" in refused.stderr) == (1, True)
        # A tenant's view on a helper is not ours to drop.
        connection.execute(f"CREATE VIEW {schema[1]}.v AS SELECT * FROM postgate_helpers.list_tables()".encode())
        stopped = postgate("migrate", "--undo", "--yes")
        assert_fails(stopped, rf"view {schema[1]}\.v depends on function .*; drop what depends on it first")
        assert migrate.current(empty) == migrate.head()
        connection.execute(f"DROP VIEW {schema[1]}.v".encode())
        undone = postgate("migrate", "--undo", "--yes")
        assert undone.returncode == 0, undone.stderr
        # Without the rows that describe it a tenant's schema is an ordinary one.
        assert connection.execute(f"SELECT a FROM {schema[1]}.t".encode()).fetchone() == (1,)
        connection.execute(f"DROP SCHEMA {schema[1]} CASCADE".encode())
        assert schema_of(empty) == before
    assert_fails(postgate("migrate", "--undo", "--yes"), "nothing of postgate's")


@pytest.mark.parametrize("command", [*CHANGE_NOTHING, ["migrate"], ["doctor"]])
def test_only_serve_makes_a_database(command: list[str], tmp_path: Path) -> None:
    done = execute([*POSTGATE, *command], tmp_path, POSTGATE_DATA_DIR="here")
    assert_fails(done, f"there is no database in {tmp_path}/here: .*POSTGATE_DATA_DIR or DATABASE_URL")
    assert list(tmp_path.iterdir()) == []


def test_a_command_says_which_database_it_uses(run: Run, conninfo: str) -> None:
    name = conninfo_to_dict(conninfo)["dbname"]
    assert re.match(f"Database: {name} at .+:\\d+\n", run("create-db", "x").stderr)


def test_doctor_of_a_good_database(run: Run) -> None:
    done = run("doctor")
    assert done.returncode == 0, done.stderr
    lines = [re.split(r"  +", line) for line in done.stdout.splitlines()]
    server = ["connection", "server version", "encoding", "gateway role", "memory of a statement", "revision"]
    assert [line[1] for line in lines] == [*server, *(protection.name for protection in PROTECTIONS)]
    if "POSTGATE_TEST_DSN" not in os.environ:
        assert re.fullmatch(r"at most \d+ MB a process", lines[4][2])
    assert lines[len(server) - 1] == ["ok", "revision", migrate.head()]
    assert {(line[0], line[2]) for line in lines[len(server) :]} == {("ok", "refused")}


def test_a_database_that_does_not_keep_tenants_apart(
    run: Run, connection: psycopg.Connection, conninfo: str, tmp_path: Path
) -> None:
    role = f"{psycopg.conninfo.conninfo_to_dict(conninfo)['dbname']}_gw"
    connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'gw' CREATEROLE".encode())
    try:
        run("migrate", "--gateway", role)
        lesser = {"DATABASE_URL": url_of(make_conninfo(conninfo, user=role, password="gw"))}  # noqa: S106
        assert execute([*POSTGATE, "doctor"], tmp_path, **lesser).returncode == 0
        connection.execute("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC")
        done = execute([*POSTGATE, "doctor"], tmp_path, **lesser)
        assert done.returncode == 1
        (line,) = [re.split(r"  +", line) for line in done.stdout.splitlines() if line.startswith("BAD")]
        assert line[1:3] == ["DO blocks", "OPEN"]
        assert "postgate migrate --gateway" in line[4]
        refused = execute([*POSTGATE, "serve"], tmp_path, POSTGATE_PORT="0", **lesser)
        assert_fails(refused, "one tenant could reach another here: DO blocks.*POSTGATE_ALLOW_UNPROTECTED=true")
        done = run("migrate", "--gateway", role)
        assert (done.returncode, f"The role {role} may serve it." in done.stderr) == (0, True)
        assert execute([*POSTGATE, "doctor"], tmp_path, **lesser).returncode == 0
    finally:
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


def test_a_login_that_may_not_make_roles_is_told_how_it_can_serve(empty: str, tmp_path: Path) -> None:
    role = f"{psycopg.conninfo.conninfo_to_dict(empty)['dbname']}_plain"
    lesser = {"DATABASE_URL": url_of(make_conninfo(empty, user=role, password="p7r"))}  # noqa: S106
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p7r'".encode())
        try:
            for command in ("serve", "migrate"):
                refused = execute([*POSTGATE, command], tmp_path, POSTGATE_PORT="0", **lesser)
                assert_fails(refused, "may not make the roles of tenants: .*--gateway.*CREATEROLE")
                assert "ALLOW" not in refused.stderr
            assert migrate.current(empty) is None
            told = re.findall("`postgate ([^`]+)`", refused.stderr)[0].split()
            assert execute([*POSTGATE, *told], tmp_path, DATABASE_URL=url_of(empty)).returncode == 0
            doctor = execute([*POSTGATE, "doctor"], tmp_path, **lesser)
            assert doctor.returncode == 0, doctor.stdout
            with running([*POSTGATE, "serve"], tmp_path, **lesser, POSTGATE_WORKERS="1") as served:
                served.healthy()
                assert execute([*POSTGATE, "create-db", "x"], tmp_path, **lesser).returncode == 0
                assert served.stop() == 0
        finally:
            connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_a_login_of_nobody_is_told_by_every_command(run: Run, conninfo: str, tmp_path: Path) -> None:
    """In a hardened database it may not even ask for the revision."""
    role = f"{psycopg.conninfo.conninfo_to_dict(conninfo)['dbname']}_nobody"
    lesser = {"DATABASE_URL": url_of(make_conninfo(conninfo, user=role, password="n7r"))}  # noqa: S106
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'n7r'".encode())
        try:
            for arguments in (["create-db", "x"], ["gen-token", str(UUID(int=0))], ["migrate"], ["serve"]):
                done = execute([*POSTGATE, *arguments], tmp_path, POSTGATE_PORT="0", **lesser)
                assert_fails(done, f"permission denied .*`postgate migrate --gateway {role}`")
            done = execute([*POSTGATE, "doctor"], tmp_path, **lesser)
            assert done.returncode == 1
            assert re.search(r"^BAD  privileges .*CREATEROLE", done.stdout, re.MULTILINE)
        finally:
            connection.execute(f"DROP ROLE {role}".encode())


def test_doctor_of_an_unmigrated_database(empty: str, tmp_path: Path) -> None:
    done = execute([*POSTGATE, "doctor"], tmp_path, DATABASE_URL=url_of(empty))
    assert done.returncode == 1
    assert re.search(r"BAD +revision +none, should be \S+: run postgate migrate", done.stdout)
    assert migrate.current(empty) is None


def test_doctor_of_an_unreachable_database(tmp_path: Path) -> None:
    done = execute([*POSTGATE, "doctor"], tmp_path, DATABASE_URL="postgresql://user:s3cret@127.0.0.1:1/db")
    assert (done.returncode, done.stderr) == (1, "Database: db at 127.0.0.1:1\n")
    assert re.match(r"BAD +connection +", done.stdout)
    assert "s3cret" not in done.stdout


def test_without_a_database_url_the_embedded_one_is_used(tmp_path: Path) -> None:
    with a_directory("postgate test-") as data_dir:
        settings = {"POSTGATE_DATA_DIR": str(data_dir)}
        with running([*POSTGATE, "serve"], tmp_path, **settings) as served:
            served.healthy()
            served.stop()
        created = execute([*POSTGATE, "create-db", "x"], tmp_path, **settings)
        assert created.returncode == 0, created.stderr
        assert f"Database: embedded, in {data_dir}\n" in created.stderr
        generated = execute([*POSTGATE, "gen-token", created.stdout.strip()], tmp_path, **settings)
        assert re.fullmatch(PRINTED, generated.stdout), generated.stderr
        assert not (data_dir / "cluster" / "postmaster.pid").exists()
