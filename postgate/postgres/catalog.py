"""What kind of type an oid is: an array of what, or the base type under its domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from psycopg.postgres import types

from postgate.postgres.pipeline import Command, Pipeline
from postgate.postgres.pools import Connection

LOOKUP_S = 10.0
REMEMBERED_TYPES = 10_000
INT2, OID, INT2VECTOR, OIDVECTOR, BOX = 21, 26, 22, 30, 603

_LOOKUP = b"""
    WITH RECURSIVE chain (given, oid) AS (
        SELECT o, o FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS o
        UNION ALL
        SELECT c.given, t.typbasetype
        FROM chain AS c JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) c.oid
        WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
    )
    SELECT c.given, t.oid, e.oid, e.typdelim
    FROM chain AS c
    JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) c.oid
    LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) t.typelem
        AND t.typsubscript OPERATOR(pg_catalog.=) 'pg_catalog.array_subscript_handler'::pg_catalog.regproc
    WHERE t.typtype OPERATOR(pg_catalog.<>) 'd'
"""


@dataclass(frozen=True, slots=True)
class Type:
    """A type that is no domain; `element` is 0 where it is no array."""

    oid: int
    element: int = 0
    delimiter: bytes = b","


def _built_in() -> dict[int, Type]:
    known = {info.oid: Type(info.oid) for info in types}
    known |= {
        info.array_oid: Type(info.array_oid, info.oid, b";" if info.oid == BOX else b",")
        for info in types
        if info.array_oid
    }
    # Vectors are arrays whose text has spaces and no braces.
    return known | {INT2VECTOR: Type(INT2VECTOR, INT2, b" "), OIDVECTOR: Type(OIDVECTOR, OID, b" ")}


BUILT_IN: Mapping[int, Type] = _built_in()


class Catalog:
    """The types of each backend, asked for once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._learned: dict[tuple[str, int], Type] = {}

    def get(self, backend: str, oid: int) -> Type | None:
        return BUILT_IN.get(oid) or self._learned.get((backend, oid))

    def knows(self, backend: str, oids: Iterable[int]) -> bool:
        """Whether the types, and what they are arrays of, are all known."""
        for oid in oids:
            known = self.get(backend, oid)
            if known is None or (known.element and not self.knows(backend, [known.element])):
                return False
        return True

    def learn(self, connection: Connection, backend: str, oids: Iterable[int]) -> None:
        """Ask the backend for all of the types that are not known yet."""
        unknown = {oid for oid in oids if self.get(backend, oid) is None}
        if unknown:
            found = _look_up(connection, unknown)
            # A type that is gone again is shown as text.
            with self._lock:
                if len(self._learned) > REMEMBERED_TYPES:
                    self._learned.clear()
                self._learned |= {(backend, oid): found.get(oid, Type(oid)) for oid in unknown}
        elements = {known.element for oid in oids if (known := self.get(backend, oid)) and known.element}
        if not self.knows(backend, elements):
            self.learn(connection, backend, elements)


def _look_up(connection: Connection, oids: set[int]) -> dict[int, Type]:
    literal = "{" + ",".join(map(str, sorted(oids))) + "}"
    with Pipeline(connection, LOOKUP_S) as pipeline:
        pipeline.send(Command(_LOOKUP, [literal.encode()]))
        pipeline.commit()
        result = pipeline.result()
        pipeline.finish()
    rows = [[result.get_value(row, column) or b"" for column in range(4)] for row in range(result.ntuples)]
    return {int(given): Type(int(oid), int(element or 0), delimiter) for given, oid, element, delimiter in rows}
