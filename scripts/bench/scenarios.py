"""What is asked for: a statement, its parameters, and the table that it needs."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

ROWS = 10_000
# A bulk INSERT as ORMs write it, of some 90 kB.
BULK_ROWS, BULK_COLUMNS = 500, 34

_COLUMNS = ", ".join(f"c{number} int" for number in range(BULK_COLUMNS))
SCHEMA = (
    "CREATE TABLE items (id int PRIMARY KEY, name text, price numeric(10, 2), made timestamptz)",
    "INSERT INTO items SELECT i, 'item number ' || i, i * 1.25, '2026-01-01'::timestamptz + i * interval '1 minute'"
    f" FROM generate_series(1, {ROWS}) AS i",
    "CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, value int NOT NULL)",
    f"CREATE TABLE wide ({_COLUMNS})",
)
POINT_READ = "SELECT id, name, price, made FROM items WHERE id = $1"

TEMPLATE = '{"sql": SQL, "params": PARAMS}'

Statement = tuple[str, list[Any]]


class Scenario(NamedTuple):
    """One kind of request. `statements` is None for GET /health."""

    name: str
    statements: Callable[[], Iterator[Statement]] | None
    # How many connections ask at once: a large answer needs few to fill the machine.
    connections: int = 16
    # How many statements a batch has; 0 where each goes alone.
    batch: int = 0


def _point_reads() -> Iterator[Statement]:
    chance = random.Random(1)  # noqa: S311
    return ((POINT_READ, [chance.randint(1, ROWS)]) for _ in itertools.count())


def _rows(count: int) -> Callable[[], Iterator[Statement]]:
    return lambda: itertools.repeat((f"SELECT id, name, price, made FROM items ORDER BY id LIMIT {count}", []))


def _inserts() -> Iterator[Statement]:
    return (("INSERT INTO events (kind, value) VALUES ($1, $2)", ["click", number]) for number in itertools.count())


def _bulk_inserts() -> Iterator[Statement]:
    """Each with a text of its own: what is remembered of the last one does not help."""
    for start in itertools.count(10_000):
        rows = (
            f"({', '.join(str(start + row + column) for column in range(BULK_COLUMNS))})" for row in range(BULK_ROWS)
        )
        yield f"INSERT INTO wide VALUES {', '.join(rows)}", []


def _migrations() -> Iterator[Statement]:
    """Definitions, changes and reads in turn, of a table of its own each time."""
    for number in itertools.count():
        table = f"made_{number}"
        yield f"CREATE TABLE {table} (id int PRIMARY KEY, name text)", []
        yield f"INSERT INTO {table} VALUES ($1, $2)", [number, "x"]
        yield f"ALTER TABLE {table} ADD COLUMN kind text", []
        yield f"UPDATE {table} SET kind = $1 WHERE id = $2", ["y", number]
        yield f"SELECT id, name, kind FROM {table}", []
        yield f"DROP TABLE {table}", []


SCENARIOS = (
    Scenario("health", None),
    Scenario("point read", _point_reads),
    Scenario("100 rows", _rows(100)),
    Scenario("10,000 rows", _rows(10_000), connections=4),
    Scenario("insert", _inserts),
    Scenario("bulk insert", _bulk_inserts, connections=4),
)


# What only postgate is asked, because each service has another form for it; the last one is for comparison.
BATCHES = (
    Scenario("batch of 1,000 inserts", _inserts, connections=2, batch=1_000),
    Scenario("batch of 10 point reads", _point_reads, batch=10),
    Scenario("migration of 6 in a batch", _migrations, connections=1, batch=6),
    Scenario("the same, one by one", _migrations, connections=1),
)


def bodies(scenario: Scenario, template: str) -> Iterator[bytes | None]:
    """The bodies of its requests, None for a GET.

    Args:
        template: SQL and PARAMS in it stand for the two as JSON.
    """
    if scenario.statements is None:
        return itertools.repeat(None)
    if scenario.batch:
        return _batches(scenario.statements(), scenario.batch)
    return (
        template.replace("PARAMS", json.dumps(params)).replace("SQL", json.dumps(sql)).encode()
        for sql, params in scenario.statements()
    )


def _batches(statements: Iterator[Statement], size: int) -> Iterator[bytes]:
    while True:
        queries = [{"sql": sql, "params": params} for sql, params in itertools.islice(statements, size)]
        yield json.dumps({"queries": queries}).encode()
