"""The types that a server has besides the built-in ones, asked for once by each connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from postgate.postgres.connection import Connection
from postgate.postgres.pipeline import Command, Pipeline
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


def learn(connection: Connection, oids: Iterable[int]) -> dict[int, Type]:
    """All of these types, those that are not known yet by asking the server once; an oid of 0 stands for no type.

    A type that is gone again by then is shown as text.
    """
    named = {oid for oid in oids if oid}
    unknown = {oid for oid in named if oid not in BUILT_IN and oid not in connection.types}
    if unknown:
        rows = _look_up(connection, unknown)
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
    return Type(oid, _built(row.element, rows, level + 1) if row.element else None, row.delimiter)


def _look_up(connection: Connection, oids: set[int]) -> dict[int, _Row]:
    literal = "{" + ",".join(map(str, sorted(oids))) + "}"
    with Pipeline(connection, LOOK_UP_MS, repeatable=True) as pipeline:
        rows = pipeline.query(Command(_TYPES, [literal.encode()]))
    return {
        int(oid or 0): _Row(int(base or 0), int(element or 0), delimiter or b",")
        for oid, base, element, delimiter in rows
    }
