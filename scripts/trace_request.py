"""Print what a warm request runs through: our functions in the order of their calls, the files, and what it costs.

The cost is processor time, and the interpreter's instructions.

    python scripts/trace_request.py

The request is a SELECT with one parameter, on an embedded PostgreSQL of its own, without a socket to the client. A
border is a call from one file of ours into another. What the validator does inside is left out: it has a benchmark of
its own.
"""

import io
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple
from wsgiref.util import setup_testing_defaults

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psycopg
from flask import Flask
from support.paths import a_directory

import postgate
from postgate import embedded
from postgate.app import create_app
from postgate.config import Config
from postgate.metadata import migrate

PACKAGE = Path(postgate.__file__).parent
VALIDATOR = "validator" + os.sep
MAKE = "CREATE TABLE users AS SELECT a AS id, a || '@example.com' AS email FROM generate_series(1, 100) AS a"
INDEX = "CREATE UNIQUE INDEX ON users (id)"
READ = "SELECT id, email FROM users WHERE id = $1"
WARM_UP = 500
ROUNDS, REQUESTS = 7, 3_000
# Functions that run the most instructions.
MOST_SHOWN = 20


class Call(NamedTuple):
    """A function of ours that was entered, and from which of our files; "" from elsewhere."""

    depth: int
    caller: str
    file: str
    function: str


def main() -> None:
    with (
        a_directory("postgate-trace-") as directory,
        embedded.running(directory, durable=False) as conninfo,
    ):
        migrate.upgrade(conninfo)
        app = create_app(Config(conninfo=conninfo))
        with closing(app.extensions["postgate"]):
            ask = tenant(app, conninfo)
            for number in range(WARM_UP):
                ask(READ, [number % 100 + 1])
            show(traced(lambda: ask(READ, [7])))
            show_steps(steps(lambda: ask(READ, [7])))
            costs = sorted(cpu_microseconds(ask) for _ in range(ROUNDS))
    print(f"CPU of this process: {costs[ROUNDS // 2]:.0f} us a request in the median, {costs[0]:.0f} at best")


def tenant(app: Flask, conninfo: str) -> Callable[[str, list[int]], None]:
    """A function that asks as a tenant that has users."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(
            "SELECT token FROM create_tenant_database('trace') AS made,"
            " create_tenant_token(made.id, 'trace', '{SELECT,CREATE}')"
        ).fetchone()
    environ: dict[str, object] = {"HTTP_AUTHORIZATION": f"Bearer {row[0] if row else ''}"}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": "/query"}

    def ask(sql: str, params: list[int]) -> None:
        body = json.dumps({"sql": sql, "params": params}).encode()
        statuses: list[str] = []
        request = {**environ, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        answer = b"".join(app(request, lambda status, _headers, _error=None: statuses.append(status)))
        if statuses != ["200 OK"]:
            raise SystemExit(answer.decode())

    ask(MAKE, [])
    ask(INDEX, [])
    return ask


def traced(work: Callable[[], None]) -> list[Call]:
    """Each call of ours, in order."""
    calls: list[Call] = []
    entered: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event not in ("call", "return") or not path.is_relative_to(PACKAGE):
            return
        if event == "return":
            entered.pop()
            return
        file = str(path.relative_to(PACKAGE))
        calls.append(Call(len(entered), entered[-1] if entered else "", file, frame.f_code.co_name))
        entered.append(file)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def show(calls: list[Call]) -> None:
    seen = list(outside_the_validator(calls))
    for call in seen:
        print(f"{'  ' * call.depth}{call.file}: {call.function}")
    files = list(dict.fromkeys(call.file for call in seen if not call.file.startswith(VALIDATOR)))
    borders = sum(call.caller not in ("", call.file) for call in seen)
    print(f"\n{len(seen)} calls, {borders} borders crossed, {len(files)} files outside of the validator:")
    for file in files:
        print(f"  {file}")


def steps(work: Callable[[], None]) -> Counter[str]:
    """How many instructions of the interpreter each function of Python runs, ours and others'. Unlike a time it is the
    same each time, for one version of Python, and shows small changes that a benchmark finds only in many runs."""
    counted: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            path = Path(frame.f_code.co_filename)
            file = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else path.name
            counted[f"{file}: {frame.f_code.co_qualname}"] += 1
        return note

    sys.settrace(note)
    try:
        work()
    finally:
        sys.settrace(None)
    return counted


def show_steps(counted: Counter[str]) -> None:
    print(f"\n{counted.total()} instructions, of them:")
    for function, count in counted.most_common(MOST_SHOWN):
        print(f"{count:6} {function}")


def outside_the_validator(calls: list[Call]) -> Iterator[Call]:
    """All calls but those that the validator makes."""
    for call in calls:
        if not call.caller.startswith(VALIDATOR):
            yield call


def cpu_microseconds(ask: Callable[[str, list[int]], None]) -> float:
    started = time.process_time()
    for number in range(REQUESTS):
        ask(READ, [number % 100 + 1])
    return (time.process_time() - started) / REQUESTS * 1e6


if __name__ == "__main__":
    main()
