"""Which allowed functions and operators work on past a statement's time, because they look at no interrupt.

    python scripts/bench_interrupts.py [CONNINFO]

Each one gets arguments of growing size under a statement_timeout of 1 s, on an embedded PostgreSQL or on the given one,
as a superuser: a backend that does not end in GIVE_UP_S is killed, and the server restarts. What took LATE_S longer
than its time is printed, worst first. Aggregates are not called.
"""

import itertools
import os
import select
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import psycopg
from support.paths import a_directory

from postgate import embedded
from postgate.validator.lists.functions import ALLOWED_FUNCTIONS

LIMIT_S = 1.0
LATE_S = 0.5
GIVE_UP_S = 8.0
RESTART_S = 2.0
# Of the combinations of values for one function.
MOST_CALLS = 25
SIZES = (10_000, 100_000, 1_000_000)
MEMORY_BYTES = 4 * 2**30
_SERIES = "FROM generate_series(1, {n}) AS i"
# By the type of an argument: expressions for a value of the size {n}, each of them bad for something.
VALUES: dict[str, tuple[str, ...]] = {
    "text": (
        "repeat('a', {n})",
        "repeat('a', {n} / 2) || 'b'",
        "(SELECT string_agg(chr(19968 + i % 20000), '') " + _SERIES + ")",
        "repeat(chr(769), {n} / 2) || repeat(chr(791), {n} / 2)",
        "'a'",
    ),
    "bytea": ("convert_to(repeat('a', {n}), 'UTF8')", "convert_to(repeat('a', {n} / 2) || 'b', 'UTF8')", "'a'::bytea"),
    "varbit": ("repeat('1', {n})::varbit", "(repeat('1', {n} / 2) || '0')::varbit"),
    "bit": ("repeat('1', {n})::varbit::bit(10000)",),
    "int4": ("3", "{n}"),
    "int8": ("3", "{n}"),
    "int2": ("3",),
    "numeric": ("repeat('9', least({n}, 100000))::numeric", "7", "{n}"),
    "float8": ("1.5", "{n}"),
    "float4": ("1.5",),
    "bool": ("true",),
    "json": ("(SELECT json_object_agg(i, i) " + _SERIES + ")", "(SELECT json_agg(i) " + _SERIES + ")"),
    "jsonb": (
        "(SELECT jsonb_object_agg(i, i) " + _SERIES + ")",
        "(SELECT jsonb_agg(i) " + _SERIES + ")",
        "(SELECT jsonb_agg(jsonb_build_object('a', i)) " + _SERIES + ")",
    ),
    "jsonpath": ("'$.**'", "'$.**.**'", "'$[*] ? (@ > 1)'"),
    "int4[]": ("(SELECT array_agg(i) " + _SERIES + ")", "(SELECT array_agg(-i) " + _SERIES + ")"),
    "text[]": ("(SELECT array_agg(i::text) " + _SERIES + ")", "(SELECT array_agg('x' || i) " + _SERIES + ")"),
    "int4range": ("int4range(1, {n})",),
    "int4multirange": ("(SELECT range_agg(int4range(2 * i, 2 * i + 1)) " + _SERIES + ")",),
    "point": ("'(1,2)'",),
    "lseg": ("'[(0,0),(1,1)]'",),
    "line": ("'{1,2,3}'",),
    "box": ("'(0,0),(1,1)'",),
    "circle": ("'<(0,0),1>'",),
    "polygon": ("polygon({n}, circle '<(0,0),1>')", "polygon({n}, circle '<(1,0),1>')"),
    "path": ("path(polygon({n}, circle '<(0,0),1>'))", "path(polygon({n}, circle '<(9,0),1>'))"),
    "tsvector": (
        "(SELECT to_tsvector('simple', string_agg('w' || i, ' ')) FROM generate_series(1, least({n}, 60000)) AS i)",
    ),
    "tsquery": (
        "(SELECT string_agg('w' || i, ' & ')::tsquery FROM generate_series(1, least({n}, 20000)) AS i)",
        "(SELECT string_agg('w' || i, ' <-> ')::tsquery FROM generate_series(1, least({n}, 5000)) AS i)",
    ),
    "xml": ("('<r>' || repeat('<a/>', {n}) || '</r>')::xml",),
    "name": ("'a'",),
    '"char"': ("'a'",),
    "regconfig": ("'simple'",),
    "oid": ("1",),
    "date": ("'2024-01-02'",),
    "time": ("'01:02'",),
    "timetz": ("'01:02+00'",),
    "timestamp": ("'2024-01-02'",),
    "timestamptz": ("'2024-01-02'",),
    "interval": ("'1 day'",),
    "uuid": ("'00000000-0000-0000-0000-000000000000'",),
    "inet": ("'10.0.0.1'",),
    "cidr": ("'10.0.0.0/8'",),
    "macaddr": ("'08:00:2b:01:02:03'",),
    "money": ("1",),
}
# A row cannot have large values of these, so they are made in each call.
UNSTORED = frozenset({"tsquery"})
# What stands for a type that is any.
POLYMORPHIC = {
    "anyarray": "int4[]", "anycompatiblearray": "int4[]", "anyelement": "int4", "anycompatible": "int4",
    "anynonarray": "int4", "anycompatiblenonarray": "int4", "anyrange": "int4range", "anycompatiblerange": "int4range",
    "anymultirange": "int4multirange", "anycompatiblemultirange": "int4multirange", "any": "text", "bpchar": "text",
    "varchar": "text",
}  # fmt: skip
FUNCTIONS = """
    SELECT p.proname, ARRAY(SELECT t::regtype::text FROM unnest(p.proargtypes) AS t), p.proretset
    FROM pg_proc AS p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proname = ANY (%s) AND p.pronargs > 0
    ORDER BY p.oid"""
OPERATORS = """
    SELECT o.oprname, ARRAY(SELECT t::regtype::text FROM unnest(ARRAY[o.oprleft, o.oprright]) AS t WHERE t <> 0), false
    FROM pg_operator AS o
    WHERE o.oprnamespace = 'pg_catalog'::regnamespace
    ORDER BY o.oid"""
SPELLED = {
    "integer": "int4", "bigint": "int8", "smallint": "int2", "boolean": "bool", "double precision": "float8",
    "real": "float4", "bit varying": "varbit", "character varying": "varchar", "character": "bpchar",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
    "time without time zone": "time", "time with time zone": "timetz", "integer[]": "int4[]",
}  # fmt: skip


class Late(NamedTuple):
    seconds: float
    what: str
    size: int
    end: str


class Server:
    """A connection that is made anew when its backend had to be killed."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection:
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)
                connection.execute(
                    "SET max_parallel_workers_per_gather = 0; SET jit = off;"
                    f"SET statement_timeout = {int(LIMIT_S * 1000)}"
                )
                return connection
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def rows(self, query: str, *parameters: object) -> list[tuple[str, list[str], bool]]:
        return self._connection.execute(query.encode(), parameters or None).fetchall()

    def run(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def can(self, sql: str) -> bool:
        try:
            self.run(sql)
        except psycopg.Error:
            return False
        return True

    def seconds(self, sql: str) -> tuple[float, str]:
        """How long it took, whatever came of it: "" where it ended by itself."""
        pgconn = self._connection.pgconn
        began = time.monotonic()
        pgconn.send_query(sql.encode())
        while True:
            left = began + GIVE_UP_S - time.monotonic()
            if left <= 0 or not select.select([pgconn.socket], [], [], left)[0]:
                os.kill(pgconn.backend_pid, signal.SIGKILL)
                self._connection.close()
                # Until the server has seen it, a new connection is one of those that it ends.
                time.sleep(RESTART_S)
                self._connection = self._connect()
                return GIVE_UP_S, "killed"
            try:
                pgconn.consume_input()
            except psycopg.OperationalError:
                self._connection.close()
                self._connection = self._connect()
                return GIVE_UP_S, "the server restarted"
            while not pgconn.is_busy():
                if pgconn.get_result() is None:
                    return time.monotonic() - began, ""


def main() -> None:
    with ExitStack() as stack:
        if len(sys.argv) > 1:
            server = Server(sys.argv[1])
        else:
            directory = stack.enter_context(a_directory("postgate-bench-"))
            running = embedded.running(directory, durable=False, memory_bytes=MEMORY_BYTES)
            server = Server(stack.enter_context(running))
        calls = server.rows(FUNCTIONS, sorted(ALLOWED_FUNCTIONS)) + server.rows(OPERATORS)
        make_values(server)
        late: list[Late] = []
        unknown: set[str] = set()
        for name, types, _ in calls:
            names = [POLYMORPHIC.get(kind, kind) for kind in (SPELLED.get(kind, kind) for kind in types)]
            unknown |= {kind for kind in names if kind not in VALUES}
            if all(kind in VALUES for kind in names):
                found = worst_of(server, name, names)
                late += found
                # The list is sorted at the end, and worth a look before.
                for one in found:
                    print(f"{one.seconds:6.1f} s  {one.what}", file=sys.stderr, flush=True)
    for one in sorted(late, reverse=True):
        print(f"{one.seconds:6.1f} s  {one.what}, size {one.size} {one.end}")
    print(f"\n{len(calls)} functions and operators, {len(late)} late; without values: {', '.join(sorted(unknown))}")


def make_values(server: Server) -> None:
    """A table for each size with one row, which has a column for each value that this server can make."""
    for kind, values in VALUES.items():
        VALUES[kind] = tuple(value for value in values if server.can(f"SELECT ({value.replace('{n}', '10')})::{kind}"))
    server.run("SET statement_timeout = 0")
    for size in SIZES:
        columns = ", ".join(
            f"({value.replace('{n}', str(size))})::{kind} AS {column(kind, position)}"
            for kind, values in VALUES.items()
            if kind not in UNSTORED
            for position, value in enumerate(values)
        )
        server.run(f"CREATE TABLE of_{size} AS SELECT {columns}")
    server.run(f"SET statement_timeout = {int(LIMIT_S * 1000)}")


def place(kind: str, position: int, size: int) -> str:
    if kind in UNSTORED:
        return f"({VALUES[kind][position].replace('{n}', str(size))})::{kind}"
    return column(kind, position)


def column(kind: str, position: int) -> str:
    return f'"{kind.strip(chr(34))} {position}"'


def worst_of(server: Server, name: str, types: list[str]) -> list[Late]:
    """The first size at which it is late, with arguments that make it so."""
    for size in SIZES:
        worst = Late(0.0, "", size, "")
        for chosen in itertools.islice(itertools.product(*(range(len(VALUES[kind])) for kind in types)), MOST_CALLS):
            places = [place(kind, position, size) for kind, position in zip(types, chosen, strict=True)]
            taken, end = server.seconds(
                f"SELECT count(v) FROM (SELECT {call_of(name, places)} AS v FROM of_{size} OFFSET 0) AS s"
            )
            if taken > worst.seconds:
                values = ", ".join(VALUES[kind][position] for kind, position in zip(types, chosen, strict=True))
                worst = Late(taken, f"{name}({', '.join(types)}) of {values}"[:150], size, end)
            if worst.seconds > LIMIT_S + LATE_S:
                return [worst]
    return []


def call_of(name: str, places: list[str]) -> str:
    if name[0].isalpha():
        return f"{name}({', '.join(places)})"
    return f"{places[0]} {name} {places[1]}" if len(places) == 2 else f"{name} {places[0]}"


if __name__ == "__main__":
    main()
