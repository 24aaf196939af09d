"""The types that a server has besides the built-in ones, asked for once."""

from __future__ import annotations

from collections.abc import Iterable

from postgate.postgres.connection import Connection
from postgate.postgres.pipeline import Command, Pipeline
from postgate.postgres.types import BUILT_IN, Type
from postgate.remembered import Remembered
from postgate.sql_files import read_sql

LOOK_UP_MS = 10_000
_MAX_TYPES = 10_000
_TYPES = read_sql("postgres", "types")


class Catalog:
    """The types of each backend.

    Attributes:
        learned: by (the backend's key, oid). PostgreSQL gives the number of a dropped type to another one only after
            its counter has gone round, so an entry is taken to hold for the life of the process.
    """

    def __init__(self) -> None:
        self.learned: Remembered[tuple[str, int], Type] = Remembered(_MAX_TYPES)

    def get(self, backend: str, oid: int) -> Type | None:
        """The type, None when the backend has not been asked for it."""
        return BUILT_IN.get(oid) or self.learned.get((backend, oid))

    def learn(self, connection: Connection, backend: str, oids: Iterable[int]) -> dict[int, Type]:
        """All of these types, those that are not known yet by asking the backend.

        A type that is gone again by then is shown as text.
        """
        unknown = {oid for oid in oids if oid and self.get(backend, oid) is None}
        if unknown:
            rows = _look_up(connection, unknown)
            elements = self.learn(connection, backend, {element for _, _, element, _ in rows})
            types = {asked: Type(oid, elements.get(element), delimiter) for asked, oid, element, delimiter in rows}
            for oid in unknown:
                self.learned.put((backend, oid), types.get(oid, Type(oid)))
        return {oid: self.get(backend, oid) or Type(oid) for oid in oids if oid}


def _look_up(connection: Connection, oids: set[int]) -> list[tuple[int, int, int, bytes]]:
    """(the oid asked for, the type's, its element's or 0, the delimiter)"""
    literal = "{" + ",".join(map(str, sorted(oids))) + "}"
    with Pipeline(connection, LOOK_UP_MS, repeatable=True) as pipeline:
        rows = pipeline.query(Command(_TYPES, [literal.encode()]))
    return [
        (int(asked or 0), int(oid or 0), int(element or 0), delimiter or b",")
        for asked, oid, element, delimiter in rows
    ]
