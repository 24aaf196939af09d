"""The types that a server has besides the built-in ones, asked for once by each connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from postgate.postgres.connection import Connection
from postgate.postgres.pipeline import Command, Pipeline, Row
from postgate.postgres.types import BUILT_IN, Type
from postgate.sql_files import read_sql

LOOK_UP_MS = 10_000
_MAX_TYPES = 10_000
# The levels that the query goes down: what stands deeper, which nobody's types do, is shown as text.
_MAX_LEVELS = 100
_TYPES = read_sql("postgres", "types")


class _Row(NamedTuple):
    """A type as the server has it: `base` under a domain, `element` of an array, 0 where it is none."""

    base: int
    element: int
    delimiter: bytes
    name: str


def learn(
    connection: Connection, oids: Iterable[int], ask: Callable[[Command], list[Row]] | None = None
) -> dict[int, Type]:
    """All of these types, those that are not known yet by asking the server once; an oid of 0 stands for no type.

    A type that is gone again by then is shown as text.

    Args:
        ask: what asks within a transaction of the connection; by default the question is one of its own.
    """
    named = {oid for oid in oids if oid}
    unknown = {oid for oid in named if oid not in BUILT_IN and oid not in connection.types}
    if unknown:
        rows = _look_up(unknown, ask or partial(_ask, connection))
        if len(connection.types) > _MAX_TYPES:
            connection.types.clear()
        connection.types |= {oid: _built(oid, rows) for oid in unknown}
    return {oid: BUILT_IN.get(oid) or connection.types.get(oid) or Type(oid) for oid in named}


def _built(oid: int, rows: Mapping[int, _Row], level: int = 0) -> Type:
    row = rows.get(oid)
    if oid in BUILT_IN or row is None or level > _MAX_LEVELS:
        return BUILT_IN.get(oid) or Type(oid)
    if row.base:
        return _built(row.base, rows, level + 1)
    element = _built(row.element, rows, level + 1) if row.element else None
    return Type(oid, element, row.delimiter, element.name + "[]" if element else row.name)


def _look_up(oids: set[int], ask: Callable[[Command], list[Row]]) -> dict[int, _Row]:
    literal = "{" + ",".join(map(str, sorted(oids))) + "}"
    return {
        int(oid or 0): _Row(int(base or 0), int(element or 0), delimiter or b",", (name or b"").decode())
        for oid, base, element, delimiter, name in ask(Command(_TYPES, [literal.encode()]))
    }


def _ask(connection: Connection, command: Command) -> list[Row]:
    with Pipeline(connection, LOOK_UP_MS, repeatable=True) as pipeline:
        return pipeline.query(command)
