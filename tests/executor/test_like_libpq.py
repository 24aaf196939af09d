"""A parameter has the type that libpq's would have, with all types left open: PostgreSQL gives it, from the context.

Where PostgreSQL says that it can infer none for a placeholder, that one, and no other, has the type of its JSON value.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import pq
from support.paths import FIXTURES
from support.service import Service, Tenant

from postgate.postgres.types import BOOL, BUILT_IN, INT8, JSONB, NUMERIC, TEXT
from postgate.results.json_rows import JsonRows
from postgate.results.rows import ResultLimits, Rows

# (type, two values of it as JSON)
COLUMNS = {
    "id": ("int", "1", "2"),
    "k": ("bigint", "3000000000", '"7"'),
    "name": ("text", '"n1"', '"007"'),
    "r": ("real", "0.1", '"0.5"'),
    "f": ("double precision", "0.1", "1e2"),
    "n": ("numeric", "1.50", '"1.5"'),
    "d": ("date", '"2024-01-02"', '"2024-1-3"'),
    "ts": ("timestamptz", '"2024-01-02T03:04:05Z"', '"2024-01-02 03:04+02"'),
    "u": ("uuid", '"00000000-0000-0000-0000-00000000000a"', '"00000000-0000-0000-0000-00000000000B"'),
    "j": ("jsonb", '{"a": [1, "x"]}', '"[1]"'),
    "tags": ("text[]", '["a", "b"]', "[]"),
    "nums": ("int[]", "[1, null]", "[7]"),
    "flag": ("boolean", "true", '"no"'),
    "c": ("char(4)", '"ab"', "null"),
    "b": ("bytea", '"\\\\x41"', '"B"'),
    "span": ("int4range", '"[1,5]"', '"empty"'),
}
IDS = ("1", "2", '"3"')
ARRAYS = {oid for oid, type_ in BUILT_IN.items() if type_.element}


def statements() -> list[str]:
    lines = (FIXTURES / "placeholders.sql").read_text().splitlines()
    return [line for line in lines if not line.startswith("--")]


@dataclass
class Libpq:
    """A connection that asks with open types, as the owner of the database does, and leaves nothing."""

    connection: psycopg.Connection

    def ask(self, sql: str, params: list[str]) -> bytes | str:
        """The body that its result makes, or the SQLSTATE of its error."""
        types = [0] * len(params)
        while True:
            result = self._once(sql, params, types)
            if result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                rows = Rows(JsonRows(), {}, ResultLimits(1000, 1_000_000, lambda _: None))
                rows.add(result)
                rows.end()
                return b"".join(rows.chunks)
            sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
            named = re.search(rb"\$(\d+)", result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"")
            if sqlstate != "42P18" or named is None:
                return sqlstate
            types[int(named[1]) - 1] = json_type(params[int(named[1]) - 1])

    def _once(self, sql: str, params: list[str], types: list[int]) -> Any:
        connection = self.connection.pgconn
        connection.exec_(b"BEGIN")
        try:
            prepared = connection.prepare(b"", sql.encode(), types)
            if prepared.status != pq.ExecStatus.COMMAND_OK:
                return prepared
            described = connection.describe_prepared(b"")
            values = [dumped(param, described.param_type(number)) for number, param in enumerate(params)]
            return connection.exec_prepared(b"", values)
        finally:
            connection.exec_(b"ROLLBACK")


def json_type(param: str) -> int:
    value = json.loads(param)
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        return INT8 if isinstance(value, int) else NUMERIC
    return JSONB if isinstance(value, list | dict) else TEXT


def dumped(param: str, oid: int) -> bytes | None:
    """The text of a JSON value for a parameter of this type."""
    value = json.loads(param)
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list) and oid in ARRAYS:
        return ("{" + ",".join("NULL" if item is None else str(item) for item in value) + "}").encode()
    return param.replace(": ", ":").replace(", ", ",").encode()


@pytest.fixture(scope="module")
def tenant(shared_service: Service) -> Tenant:
    tenant = shared_service.tenant()
    columns = ", ".join(f"{name} {type_}" for name, (type_, *_) in COLUMNS.items())
    shared_service.execute(f"CREATE TABLE {tenant.schema}.it ({columns})")
    for row in (0, 1):
        literals = [json.loads(values[row], parse_float=str) for _, *values in COLUMNS.values()]
        placeholders = ", ".join("%s" for _ in literals)
        adapted = [psycopg.types.json.Jsonb(value) if isinstance(value, dict) else value for value in literals]
        shared_service.execute(f"INSERT INTO {tenant.schema}.it VALUES ({placeholders})", *adapted)
    return tenant


@pytest.fixture
def libpq(shared_service: Service, tenant: Tenant) -> Iterator[Libpq]:
    settings = f"-c search_path={tenant.schema} -c timezone=UTC -c intervalstyle=postgres -c datestyle=ISO,MDY"
    with psycopg.connect(shared_service.conninfo, options=settings) as connection:
        yield Libpq(connection)


@pytest.mark.parametrize("line", statements())
def test_a_statement_has_libpqs_answer(shared_service: Service, tenant: Tenant, libpq: Libpq, line: str) -> None:
    template, _, ids = line.partition(" -- id: ")
    count = max(int(number) for number in re.findall(r"\$(\d+)", template))
    for column, (type_, first, second) in COLUMNS.items():
        sql = template.replace("{c}", column).replace("{t}", type_)
        for values in ((first, second), (second, first), (first, "null")):
            params = [values[number % 2] for number in range(count)]
            for position, number in enumerate(ids.split()):
                params[int(number) - 1] = IDS[position]
            expected = libpq.ask(sql, params)
            body = f'{{"sql": {json.dumps(sql)}, "params": [{", ".join(params)}]}}'
            for _ in range(2):
                before = libpq.ask(sql, params) if "RETURNING" in sql or "MERGE" in sql else expected
                answer = shared_service.post(body.encode(), tenant.token)
                seen = answer.text.encode() if answer.status == 200 else answer.json.get("sqlstate", answer.text)
                assert seen == before, (sql, params)
