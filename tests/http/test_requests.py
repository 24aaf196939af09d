"""What is a request, byte by byte; gunicorn's own parser in Python is the measure."""

import ast
import random
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from support.paths import FIXTURES

from postgate.errors import RequestRefused
from postgate.http.requests import Limits, Reader, Request

REFUSED = [line.split("\t") for line in (FIXTURES / "http" / "refused.tsv").read_text().splitlines()[1:]]
TAKEN = [line.split("\t") for line in (FIXTURES / "http" / "taken.tsv").read_text().splitlines()[1:]]
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def unescaped(text: str) -> bytes:
    value = ast.literal_eval(f'b"{text}"')
    assert isinstance(value, bytes)
    return value


def reader(**limits: int) -> Reader:
    return Reader({"SCRIPT_NAME": ""}, ("127.0.0.1", 80), ("127.0.0.1", 1234), Limits(**limits))


def read(data: bytes, piece: int = 1 << 20, **limits: int) -> list[Request]:
    """The requests in what comes in pieces of this size."""
    one = reader(**limits)
    requests = []
    for start in range(0, len(data), piece):
        request = one.feed(data[start : start + piece])
        while request is not None:
            requests.append(request)
            request = one.feed(b"")
    return requests


def body(request: Request) -> bytes:
    data = request.environ["wsgi.input"].read()
    assert isinstance(data, bytes)
    return data


def gunicorns(data: bytes) -> list[tuple[Any, ...]] | None:
    """The first request as gunicorn reads it, or None where it refuses it, or waits for more."""
    config = Config()
    config.set("http_parser", "python")
    try:
        request = next(RequestParser(config, iter([data]), ("127.0.0.1", 1234)))
        content = request.body.read()
    except Exception:
        return None
    # It takes the end of what comes for the end of a body.
    if any(name == "CONTENT-LENGTH" and int(value) != len(content) for name, value in request.headers):
        return None
    fields: dict[str, str] = {}
    for name, value in request.headers:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return [(request.method, request.uri, request.version, content), *sorted(fields.items())]


def ours(data: bytes) -> list[tuple[Any, ...]] | None:
    try:
        requests = read(data)
    except RequestRefused:
        # What came before it is not at stake.
        return None
    if not requests:
        return None
    first = requests[0]
    return [(first.method, first.uri, first.version, body(first)), *sorted(first.headers)]


@pytest.mark.parametrize(("status", "name", "text"), REFUSED, ids=[row[1] for row in REFUSED])
@pytest.mark.parametrize("piece", [1 << 20, 1])
def test_what_is_no_request_is_refused(status: str, name: str, text: str, piece: int) -> None:
    data = unescaped(text)
    assert gunicorns(data) is None
    with pytest.raises(RequestRefused) as refused:
        read(data, piece)
    assert refused.value.status == int(status)


@pytest.mark.parametrize(("name", "text", "content"), TAKEN, ids=[row[0] for row in TAKEN])
@pytest.mark.parametrize("piece", [1 << 20, 1])
def test_what_is_a_request_is_taken_whole(name: str, text: str, content: str, piece: int) -> None:
    (request,) = read(unescaped(text), piece)
    assert body(request) == unescaped(content)
    assert ours(unescaped(text)) == gunicorns(unescaped(text))


def mutants(count: int) -> Iterator[bytes]:
    """Requests of the fixtures with bytes put in, left out, changed, or parts of another one in between."""
    chance = random.Random(11)  # noqa: S311
    seeds = [unescaped(row[2]) for row in REFUSED] + [unescaped(row[1]) for row in TAKEN]
    bits = [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b";", b"0", b"5", b"\0", b"chunked", b"_", b"\x0b", b"\x85"]
    for _ in range(count):
        data = chance.choice(seeds)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    data = data[:at] + chance.choice(bits) + data[at:]
                case 1:
                    data = data[:at] + data[at + chance.randint(1, 3) :]
                case 2:
                    data = data[:at] + chance.choice(bits) + data[at + 1 :]
                case _:
                    data = data[:at] + chance.choice(seeds)[at:]
        yield data


def test_whatever_gunicorn_refuses_is_refused_and_the_rest_is_read_as_it_reads_it() -> None:
    taken = 0
    for data in mutants(20_000):
        mine = ours(data)
        if mine is not None:
            taken += 1
            assert mine == gunicorns(data), data
    assert taken > 1000


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_requests_that_come_together_are_told_apart(piece: int) -> None:
    data = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + HEAD + b"Content-Length: 3\r\n\r\nabc" + b"GET /x HTTP/1.1\r\n\r\n"
    assert [(one.method, one.path, body(one)) for one in read(data * 2, piece)] == [
        ("POST", "/", b"hello"),
        ("POST", "/", b"abc"),
        ("GET", "/x", b""),
    ] * 2


@pytest.mark.parametrize(
    ("version", "options", "keeps"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Close", False),
        ("1.1", "keep-alive, close", False),
        ("1.1", "upgrade", True),
        ("1.0", None, False),
        ("1.0", "keep-alive", True),
        ("1.0", "Keep-Alive, te", True),
    ],
)
def test_whether_the_connection_goes_on(version: str, options: str | None, keeps: bool) -> None:
    field = f"Connection: {options}\r\n" if options else ""
    (request,) = read(f"GET / HTTP/{version}\r\n{field}\r\n".encode())
    assert request.keep_alive is keeps
    (request,) = read(b"CONNECT a:80 HTTP/1.1\r\n\r\n")
    assert not request.keep_alive


def test_long_lines_long_fields_and_many_fields_are_refused() -> None:
    for data, status in (
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"\r\nGET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: b\r\n" * 300 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 70_000, 431),
        (CHUNKED + b"5;" + b"a" * 9000, 400),
        (CHUNKED + b"0\r\n" + b"X: b\r\n" * 101 + b"\r\n", 400),
    ):
        with pytest.raises(RequestRefused) as refused:
            read(data, line_bytes=4094)
        assert refused.value.status == status, data[:30]


def test_a_body_over_the_limit_is_counted_and_not_kept() -> None:
    (sized,) = read(HEAD + b"Content-Length: 101\r\n\r\n" + b"x" * 101, body_bytes=100)
    assert (body(sized), sized.keep_alive) == (b"", True)
    (chunked,) = read(CHUNKED + b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n", body_bytes=100)
    assert (body(chunked), chunked.keep_alive) == (b"x" * 101, True)
    (at_the_limit,) = read(CHUNKED + b"64\r\n" + b"x" * 100 + b"\r\n0\r\n\r\n", body_bytes=100)
    assert body(at_the_limit) == b"x" * 100
    # Nobody reads for ever what nobody keeps.
    for head, line in ((b"Content-Length: 999999\r\n\r\n", b""), (b"Transfer-Encoding: chunked\r\n\r\n", b"f0000\r\n")):
        one = reader(body_bytes=100)
        assert one.feed(HEAD + head + line) is None
        for _ in range(5):
            assert one.feed(b"x" * 100) is None
            assert one.body_bytes <= 101
        request = one.feed(b"x")
        assert request is not None and not request.keep_alive


def test_what_has_come_can_be_let_go() -> None:
    one = reader()
    for data in (HEAD, HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 50, CHUNKED + b"5\r\nhe"):
        assert one.feed(data) is None
        one.forget()
        assert (one.begun, one.in_body, one.body_bytes, one.has_next) == (False, False, 0, False)
    assert one.feed(b"GET / HTTP/1.1\r\n\r\n") is not None


def test_who_asks_before_a_body_that_is_too_large_is_answered_at_once() -> None:
    one = reader(body_bytes=100)
    request = one.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 101\r\n\r\n")
    assert request is not None and not request.keep_alive
    assert (body(request), one.expects_continue) == (b"", False)
    one = reader(body_bytes=100)
    assert one.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n") is None
    assert one.expects_continue


def test_a_socket_with_a_path_has_addresses_too() -> None:
    one = Reader({}, "/run/postgate.sock", "", Limits())
    request = one.feed(b"GET / HTTP/1.1\r\n\r\n")
    assert request is not None
    assert (request.environ["SERVER_NAME"], request.environ["REMOTE_ADDR"]) == ("localhost", "")
