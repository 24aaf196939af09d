"""What kind of type a value has: an array of what, or the base type under its domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.postgres import types

BOOL, INT8, INT2, INT4, TEXT, OID, JSON, JSONB, NUMERIC = 16, 20, 21, 23, 25, 26, 114, 3802, 1700
INT2VECTOR, OIDVECTOR, BOX = 22, 30, 603


@dataclass(frozen=True, slots=True)
class Type:
    """A type that is no domain.

    Attributes:
        oid: its number in pg_type.
        element: what it is an array of; None where it is no array.
        delimiter: what stands between the elements in its text.
    """

    oid: int
    element: Type | None = None
    delimiter: bytes = b","


def _built_in() -> dict[int, Type]:
    by_oid = {info.oid: Type(info.oid) for info in types}
    by_oid |= {
        info.array_oid: Type(info.array_oid, Type(info.oid), b";" if info.oid == BOX else b",")
        for info in types
        if info.array_oid
    }
    # Vectors are arrays whose text has spaces and no braces.
    return by_oid | {
        INT2VECTOR: Type(INT2VECTOR, Type(INT2), b" "),
        OIDVECTOR: Type(OIDVECTOR, Type(OID), b" "),
    }


# These have the same numbers on every server.
BUILT_IN: Mapping[int, Type] = _built_in()
