"""Whatever a client sends gets its 4xx in the envelope within a second, and the service lives."""

import ast
import json
import socket
import time
from collections.abc import Iterator

import pytest
from support.paths import FIXTURES
from support.service import Answer, Service, a_service

BODIES = FIXTURES / "bad_bodies.tsv"
TABLE = [line.split("\t") for line in BODIES.read_text().splitlines()[1:]]
DEEP = 100_000
LIMIT = 300_000


@pytest.fixture(scope="module")
def small(shared_service: Service) -> Iterator[Service]:
    """A service that takes small bodies only."""
    with a_service(shared_service.conninfo, max_body_bytes=LIMIT) as service:
        yield service


def assert_refused(service: Service, started: float, answer: Answer, status: int, code: str, reason: str) -> None:
    assert time.process_time() - started < 1
    assert (answer.status, answer.code) == (status, code), answer.text
    assert reason in answer.json["error"]
    assert service.request("GET", "/health").status == 200


@pytest.mark.parametrize(("body", "reason"), TABLE, ids=[row[0] for row in TABLE])
def test_a_bad_body_is_a_parse_error(shared_service: Service, body: str, reason: str) -> None:
    started = time.process_time()
    answer = shared_service.post(ast.literal_eval(body))
    assert_refused(shared_service, started, answer, 400, "PARSE_ERROR", reason)
    assert answer.json["error"].startswith("Parse error: ")


@pytest.mark.parametrize(
    "members",
    [
        {f"parameter{number}": number for number in range(100_000)},
        {"x" * 1_000_000: 1},
        {f"{number}{'readonl' * 10_000}": number for number in range(20)},
        {"queries": [{"sql": "SELECT 1", **{f"par{number}_{key}": 1 for key in range(50)}} for number in range(1000)]},
    ],
    ids=["many", "long", "many long", "in a batch"],
)
def test_keys_without_a_meaning_cost_nothing(shared_service: Service, members: dict[str, object]) -> None:
    body = json.dumps(members if "queries" in members else {"sql": "SELECT 1 AS a", **members}).encode()
    started = time.process_time()
    answer = shared_service.post(body)
    assert time.process_time() - started < 1
    assert answer.status in (200, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * DEEP,
        b'{"sql":' * DEEP,
        b'{"sql": "SELECT $1", "params": [' + b"[" * DEEP + b"]" * DEEP + b"]}",
        b'{"sql": "SELECT $1::jsonb", "params": [' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"]}",
        b'{"sql": "SELECT $1::int[]", "params": [' + b"[" * 400 + b"]" * 400 + b"]}",
    ],
    ids=["lists", "objects", "parameter", "document", "array"],
)
def test_deep_nesting_is_a_parse_error(small: Service, body: bytes) -> None:
    started = time.process_time()
    answer = small.post(body)
    if len(body) > LIMIT:
        assert_refused(small, started, answer, 413, "BODY_TOO_LARGE", "")
    else:
        assert_refused(small, started, answer, 400, "PARSE_ERROR", "")


def test_deep_statements_are_a_parse_error(shared_service: Service) -> None:
    for sql in (
        "SELECT " + "(" * 50_000,
        "SELECT " + "(" * 20_000 + "1" + ")" * 20_000,
        "SELECT " + "- " * 20_000 + "1",
    ):
        started = time.process_time()
        answer = shared_service.query(sql)
        assert_refused(shared_service, started, answer, 400, "PARSE_ERROR", "")


def test_too_many_parameters(shared_service: Service) -> None:
    started = time.process_time()
    answer = shared_service.query("SELECT 1", *range(65_536))
    assert_refused(shared_service, started, answer, 400, "PARSE_ERROR", "at most 65535 parameters")


def test_a_body_at_the_limit_and_one_past_it(small: Service) -> None:
    head, tail = b'{"sql": "SELECT 1 AS a", "x": "', b'"}'
    body = head + b"x" * (LIMIT - len(head) - len(tail)) + tail
    assert small.post(body).rows == [{"a": 1}]
    started = time.process_time()
    assert_refused(small, started, small.post(body + b" "), 413, "BODY_TOO_LARGE", f"{LIMIT} bytes")


def test_a_chunked_body_past_the_limit(small: Service) -> None:
    started = time.process_time()
    parts = iter([b'{"sql": "SELECT 1"', *[b" " * 100_000] * 4, b"}"])
    answer = small.post(parts, **{"Transfer-Encoding": "chunked"})
    assert_refused(small, started, answer, 413, "BODY_TOO_LARGE", f"{LIMIT} bytes")


def test_a_client_that_goes_away_leaves_nothing(shared_service: Service) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", shared_service.port), timeout=5) as client:
            head = f"POST /query HTTP/1.1\r\nHost: x\r\nAuthorization: {shared_service.admin}\r\n"
            client.sendall(head.encode() + b'Content-Length: 99\r\n\r\n{"sql": ')
    assert shared_service.query("SELECT 1 AS a").rows == [{"a": 1}]


def test_a_number_of_a_million_digits(shared_service: Service) -> None:
    started = time.process_time()
    body = b'{"sql": "SELECT $1 AS a", "params": [%b]}' % (b"1" * 1_000_000)
    answer = shared_service.post(body)
    assert time.process_time() - started < 5
    assert (answer.status, answer.code) == (500, "DATABASE_ERROR")
    assert json.loads(answer.text)["sqlstate"].startswith("22")


def test_a_body_has_a_bounded_number_of_values(shared_service: Service) -> None:
    many = b'{"sql": "SELECT 1", "params": [[' + b"1," * 1_000_000 + b"1]]}"
    answer = shared_service.post(many)
    assert (answer.code, "more than 1000000 values" in answer.text) == ("PARSE_ERROR", True)
    # Commas in a string are no values.
    text = 'x,\\"' * 700_000
    assert shared_service.query("SELECT length($1) AS n", text + "," * 1_000_001).rows == [{"n": len(text) + 1_000_001}]


def test_an_error_does_not_quote_a_whole_value(shared_service: Service) -> None:
    answer = shared_service.query("SELECT repeat('x', 1000000)::int AS v")
    assert answer.code == "DATABASE_ERROR"
    assert len(answer.text) < 10_000
    assert "[cut]" in answer.json["error"]


@pytest.mark.parametrize("comments", ["/**/" * 100_000, "/*" * 50_000 + "*/" * 50_000, "/*" + "+*" * 200_000 + "*/"])
def test_comments_cost_postgresql_nothing(shared_service: Service, comments: str) -> None:
    """Its scanner takes minutes for these, and looks at no interrupt."""
    assert shared_service.query(f"SELECT 1 AS a {comments}").rows == [{"a": 1}]
    answer = shared_service.query(f"SELECT {comments} 1 / 0 AS a, nothing")
    assert answer.json["position"] == len(f"SELECT {comments} 1 / 0 AS a, ") + 1


@pytest.mark.parametrize("signs", ["+" * 300, "-+" * 200, "@" * 300])
def test_operators_in_a_row_are_bounded(shared_service: Service, signs: str) -> None:
    assert "characters of operators in a row" in shared_service.query(f"SELECT {signs} 1").json["error"]


def test_a_long_array_is_encoded_piece_by_piece(shared_service: Service) -> None:
    answer = shared_service.query("SELECT array_fill(''::text, ARRAY[300000]) AS v")
    assert answer.rows == [{"v": [""] * 300_000}]
