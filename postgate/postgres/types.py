"""What kind of type a value has: an array of what, or the base type under its domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from psycopg.postgres import types

BOOL, INT8, INT2, INT4, TEXT, OID, JSON, JSONB, NUMERIC = 16, 20, 21, 23, 25, 26, 114, 3802, 1700
INT2VECTOR, OIDVECTOR, BOX = 22, 30, 603


class Type(NamedTuple):
    """A type that is no domain.

    Attributes:
        oid: its number in pg_type.
        element: what it is an array of; None where it is no array.
        delimiter: what stands between the elements in its text.
        name: its name in pg_type, an array's with [] after that of its elements.
    """

    oid: int
    element: Type | None = None
    delimiter: bytes = b","
    # As PostgreSQL's format_type shows a type that is gone.
    name: str = "???"


def _built_in() -> dict[int, Type]:
    by_oid = {info.oid: Type(info.oid, name=info.name.strip('"')) for info in types}
    by_oid |= {
        info.array_oid: _array(info.array_oid, by_oid[info.oid], b";" if info.oid == BOX else b",")
        for info in types
        if info.array_oid
    }
    # Vectors are arrays whose text has spaces and no braces.
    return by_oid | {
        INT2VECTOR: Type(INT2VECTOR, by_oid[INT2], b" ", "int2vector"),
        OIDVECTOR: Type(OIDVECTOR, by_oid[OID], b" ", "oidvector"),
    }


def _array(oid: int, element: Type, delimiter: bytes) -> Type:
    return Type(oid, element, delimiter, f"{element.name}[]")


# These have the same numbers on every server.
BUILT_IN: Mapping[int, Type] = _built_in()
