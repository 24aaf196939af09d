"""The types that a server has besides the built-in ones, asked for once by each connection."""

from __future__ import annotations

from collections.abc import Iterable

from postgate.postgres.connection import Connection
from postgate.postgres.pipeline import Command, Pipeline
from postgate.postgres.types import BUILT_IN, Type
from postgate.sql_files import read_sql

LOOK_UP_MS = 10_000
_MAX_TYPES = 10_000
_TYPES = read_sql("postgres", "types")


def learn(connection: Connection, oids: Iterable[int]) -> dict[int, Type]:
    """All of these types, those that are not known yet by asking the server; an oid of 0 stands for no type.

    A type that is gone again by then is shown as text.
    """
    named = {oid for oid in oids if oid}
    unknown = {oid for oid in named if oid not in BUILT_IN and oid not in connection.types}
    if unknown:
        rows = _look_up(connection, unknown)
        elements = learn(connection, {element for _, _, element, _ in rows})
        if len(connection.types) > _MAX_TYPES:
            connection.types.clear()
        connection.types |= {oid: Type(oid) for oid in unknown}
        connection.types |= {
            asked: Type(oid, elements.get(element), delimiter) for asked, oid, element, delimiter in rows
        }
    return {oid: BUILT_IN.get(oid) or connection.types.get(oid) or Type(oid) for oid in named}


def _look_up(connection: Connection, oids: set[int]) -> list[tuple[int, int, int, bytes]]:
    """(the oid asked for, the type's, its element's or 0, the delimiter)"""
    literal = "{" + ",".join(map(str, sorted(oids))) + "}"
    with Pipeline(connection, LOOK_UP_MS, repeatable=True) as pipeline:
        rows = pipeline.query(Command(_TYPES, [literal.encode()]))
    return [
        (int(asked or 0), int(oid or 0), int(element or 0), delimiter or b",")
        for asked, oid, element, delimiter in rows
    ]
