"""Every error code, provoked for real, and what its envelope says."""

import time
from collections.abc import Iterator

import psycopg
import pytest
from support.events import log_lines
from support.service import Service, a_service

from postgate import errors
from postgate.errors import PostgateError

DATABASE_ERRORS = [
    ("SELECT * FROM nothing", "42P01", {"position": 15}),
    ("SELECT nothing", "42703", {"position": 8}),
    ("SELECT 1 / 0", "22012", {}),
    ("SELECT 'x'::int", "22P02", {"position": 8}),
    ("INSERT INTO t VALUES (1, 1, 2)", "23505", {"schema": "public", "table": "t", "constraint": "t_pkey"}),
    ("INSERT INTO t VALUES (2, NULL, 2)", "23502", {"schema": "public", "table": "t", "column": "b"}),
    ("INSERT INTO t VALUES (3, -1, 2)", "23514", {"constraint": "t_b_check"}),
    ("INSERT INTO t VALUES (4, 1, -5)", "23514", {"datatype": "positive", "constraint": "positive_check"}),
    ("SELECT length(1, 2, 3)", "42883", {"position": 8}),
]


@pytest.fixture(scope="module")
def filled(shared_service: Service) -> Service:
    shared_service.execute("""
        CREATE DOMAIN positive AS int CHECK (value > 0);
        CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL CHECK (b > 0), c positive);
        INSERT INTO t VALUES (1, 1, 1)""")
    return shared_service


@pytest.fixture(scope="module")
def hasty(shared_service: Service) -> Iterator[Service]:
    """A service with low limits."""
    with a_service(shared_service.conninfo, statement_timeout_ms=300, max_result_bytes=10_000) as service:
        yield service


@pytest.mark.parametrize(("sql", "sqlstate", "fields"), DATABASE_ERRORS, ids=[row[1] for row in DATABASE_ERRORS])
def test_database_error(filled: Service, sql: str, sqlstate: str, fields: dict[str, object]) -> None:
    answer = filled.query(sql)
    assert (answer.status, answer.code, answer.json["sqlstate"]) == (500, "DATABASE_ERROR", sqlstate)
    assert {name: answer.json.get(name) for name in fields} == fields
    assert answer.json["error"]


def test_database_error_with_detail_and_hint(filled: Service) -> None:
    answer = filled.query("INSERT INTO t VALUES (1, 1, 1)").json
    assert answer["detail"] == "Key (a)=(1) already exists."
    assert "Perhaps you meant" in filled.query("SELECT t.bb FROM t").json["hint"]


def test_parse_error(filled: Service) -> None:
    answer = filled.query("DELETE FROM t", token=filled.tenant(operations=("SELECT",)).token)
    assert (answer.status, answer.code) == (400, "PARSE_ERROR")
    assert answer.json["error"] == "Parse error: Operation DELETE is not allowed; the token has SELECT"
    assert answer.json["reason"] == "operation_denied"


PLACES = [
    ("SELECT 1 FRM t", {"position": 14, "line": 1, "column": 14}),
    ("SELECT 1\n  FROM pg_class", {"position": 17, "line": 2, "column": 8}),
    ("SELECT 'é', 'a", {"position": 13, "line": 1, "column": 13}),
    ("SELECT a\n\nFROM public2.t", {"position": 24, "line": 3, "column": 14}),
    ("SELECT pg_sleep(1)", {"position": 8, "line": 1, "column": 8}),
]


@pytest.mark.parametrize(("sql", "place"), PLACES)
def test_a_refused_statement_has_its_place(filled: Service, sql: str, place: dict[str, int]) -> None:
    answer = filled.query(sql, token=filled.tenant().token)
    assert (answer.status, answer.code) == (400, "PARSE_ERROR")
    assert {key: answer.json.get(key) for key in place} == place
    assert answer.json["error"].endswith(f"(line {place['line']}, column {place['column']})")


@pytest.mark.parametrize(
    ("sql", "limit"),
    [("SELECT * FROM generate_series(1, 1001)", 1000), ("SELECT " + "(" * 300 + "1" + ")" * 300, None)],
)
def test_what_is_over_a_limit_says_so(filled: Service, sql: str, limit: int | None) -> None:
    answer = filled.query(sql, token=filled.tenant().token).json
    assert (answer["reason"], answer.get("limit")) == ("limit", limit)


STATUSES = [
    ("INSERT INTO t VALUES (1, 1, 2)", 409),
    ("SELECT * FROM nothing", 404),
    ("SELECT length(1, 2, 3)", 404),
    ("SELECT nothing", 400),
    ("SELECT 1 / 0", 400),
    ("SELECT 'x'::int", 400),
    ("INSERT INTO t VALUES (2, NULL, 2)", 400),
    ("SELECT raises('23505')", 409),
    ("SELECT raises('23503')", 409),
    ("SELECT raises('42501')", 403),
    ("SELECT raises('40001')", 409),
    ("SELECT raises('P0001')", 400),
    ("SELECT raises('P0002')", 500),
    ("SELECT raises('53200')", 503),
    ("SELECT raises('XX000')", 500),
    ("SELECT raises('ABCDE')", 400),
]


@pytest.mark.parametrize(("sql", "status"), STATUSES)
def test_the_status_follows_from_the_sqlstate_where_that_is_wanted(filled: Service, sql: str, status: int) -> None:
    filled.execute("""CREATE OR REPLACE FUNCTION raises(state text) RETURNS void LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'no' USING ERRCODE = state; END $$""")
    with a_service(filled.conninfo, status_by_sqlstate=True) as wanted:
        answer = wanted.query(sql)
        assert (answer.status, answer.code) == (status, "DATABASE_ERROR")
        assert wanted.query("DELETE FROM").status == 400
    assert filled.query(sql).status == 500
    if "ABCDE" in sql:
        assert answer.json["reason"] == "raised"


def test_timeout_has_cancelled_the_statement(hasty: Service) -> None:
    started = time.monotonic()
    answer = hasty.query("SELECT count(*) FROM generate_series(1, 1000000) AS a, generate_series(1, 1000000) AS b")
    assert (answer.status, answer.code) == (504, "TIMEOUT")
    assert answer.json["error"] == "Timeout: the statement was cancelled after 0.3 s"
    assert 0.3 <= time.monotonic() - started < 1.3
    active = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state <> 'idle' AND query ~ '^SELECT count.*1000000'
            AND pid <> pg_backend_pid()"""
    assert hasty.execute(active) == [(0,)]
    assert hasty.query("SELECT 1 AS a").rows == [{"a": 1}]


def test_timeout_while_waiting_for_a_lock(hasty: Service) -> None:
    hasty.execute("CREATE TABLE IF NOT EXISTS locked (a int)")
    with psycopg.connect(hasty.conninfo) as other:
        other.execute("LOCK TABLE locked")
        assert hasty.query("INSERT INTO locked VALUES (1)").code == "TIMEOUT"
        assert hasty.query("SELECT 1 AS a").rows == [{"a": 1}]
    assert hasty.execute("SELECT count(*) FROM locked") == [(0,)]


def test_row_limit(filled: Service) -> None:
    token = filled.tenant(max_rows=10).token
    sql = "SELECT a FROM generate_series(1, $1::int) AS a"
    assert filled.query(sql, 10, token=token).json["row_count"] == 10
    answer = filled.query(sql, 11, token=token)
    assert (answer.status, answer.code) == (400, "ROW_LIMIT_EXCEEDED")
    assert "10 rows" in answer.json["error"]


def test_result_too_large(hasty: Service) -> None:
    sql = "SELECT repeat('x', $1::int) AS a"
    assert hasty.query(sql, 9_980).status == 200
    answer = hasty.query(sql, 10_000)
    assert (answer.status, answer.code) == (400, "RESULT_TOO_LARGE")


def test_database_not_found(service: Service) -> None:
    tenant = service.tenant()
    assert service.query("SELECT 1", token=tenant.token).status == 200
    service.execute(f"DROP SCHEMA {tenant.schema}")
    answer = service.query("SELECT 1", token=tenant.token)
    assert (answer.status, answer.code) == (404, "DATABASE_NOT_FOUND")


def test_internal_error_tells_nothing(shared_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = "s3cret"

    def fail(*_: object) -> None:
        raise RuntimeError(hidden)

    monkeypatch.setattr("postgate.api.body.load", fail)
    with log_lines() as lines:
        answer = shared_service.query("SELECT 's3cret'")
    said = "".join(lines)
    assert (answer.status, answer.json) == (500, {"error": "Internal error", "code": "INTERNAL_ERROR"})
    assert "RuntimeError" in said
    assert "in fail" in said
    assert hidden not in said


def test_an_unmigrated_database_is_unavailable(service: Service) -> None:
    service.execute("DROP FUNCTION postgate_internal.enter(text, text, integer, text)")
    answer = service.query("SELECT 1")
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    service.execute("ALTER TABLE postgate_tokens RENAME TO other")
    answer = service.query("SELECT 1", token="pg_" + "0" * 64)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "UNAVAILABLE", "1")


def test_every_error_has_its_code_and_is_in_the_tree() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, PostgateError)]
    for each in classes:
        if each is not PostgateError:
            assert f"{each.__name__} " in (errors.__doc__ or "")
            assert f" {each.code} " in (errors.__doc__ or "")
