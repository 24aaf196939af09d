"""What the validator finds out about a text: one list of facts, for whoever judges, runs or compares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from postgate.validator.reading.places import Place, TextError


@dataclass(frozen=True, slots=True)
class Refusal:
    """A text that no tenant may run, and why, as a `TextError` has it.

    Attributes:
        fingerprint: as of `Facts`; "" where the text is not made of PostgreSQL's tokens.
        operations: as of `Facts`: nobody knows any.
    """

    message: str
    reason: str = "syntax"
    hint: str = ""
    place: Place | None = None
    fingerprint: str = ""
    operations: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def of(cls, error: TextError, fingerprint: str = "") -> Refusal:
        return cls(str(error), error.reason, error.hint, error.place, fingerprint)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an allowed statement does, whoever the tenant is.

    Attributes:
        text: the text as it is to be sent, without comments in it; "" where nobody has read it.
        fingerprint: what the text has in common with those that differ from it in constants only.
        kind: the statement's kind, such as "SELECT" or "CREATE TABLE".
        operations: every operation that it performs.
        relations: (schema or None, name) of each relation it names, without the names of CTEs.
        functions: (schema or None, name) of each function it calls.
        own_functions: names that are no built-in function; whoever runs the statement must make sure that the
            tenant's own schema has them.
        qualifiers: each schema that a name is qualified with, and the offset where, if that is known.
        advances_sequence: whether the statement calls nextval, which INSERT or UPDATE allows.
        reads_sequences: whether the statement asks what the session has drawn from a sequence.
        needs_earlier: why it may not be the first statement of a transaction; None where it may.
        columns: (relation, column) of each name that a function would have if it were no column; whoever runs the
            statement must make sure that the tenant's relation has the column.
        placeholders: the highest placeholder number.
        defines: CREATE, ALTER or DROP when it changes what there is, CREATE AS when it also runs a query, else "".
        fields: every f of an x.f, which is a call where x has no column f; whoever runs the statement must make sure
            that no extension has such a function.
        listed: placeholders that stand for one value of an IN (...).
        untyped: placeholders for which PostgreSQL can infer no type from the context.
        writes: False when the statement only reads.
        returns_rows: whether the statement has a result.
    """

    text: str = ""
    fingerprint: str = ""
    kind: str = ""
    operations: frozenset[str] = frozenset()
    relations: frozenset[tuple[str | None, str]] = frozenset()
    functions: frozenset[tuple[str | None, str]] = frozenset()
    own_functions: frozenset[str] = frozenset()
    qualifiers: Mapping[str, int | None] = field(default_factory=dict)
    advances_sequence: bool = False
    reads_sequences: bool = False
    needs_earlier: Refusal | None = None
    columns: frozenset[tuple[str, str]] = frozenset()
    placeholders: int = 0
    defines: str = ""
    fields: frozenset[str] = frozenset()
    listed: frozenset[int] = frozenset()
    untyped: frozenset[int] = frozenset()
    writes: bool = True
    returns_rows: bool = True
