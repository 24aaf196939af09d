"""The rows of a statement as the bytes of an answer, while they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from postgate.postgres.types import Type

# The values of one column, as PostgreSQL's text.
Values = list[bytes | None]


class Column(NamedTuple):
    """A column of a result."""

    name: bytes
    type: Type


class Format(Protocol):
    """How a result is written: `begin` once, `rows` for each piece that arrives, `end` once; then the next result.

    Attributes:
        media_type: what the answer's Content-Type says.
    """

    media_type: str

    def begin(self, columns: Sequence[Column]) -> bytes:
        """What stands before the rows; a statement without a result has no columns."""

    def rows(self, columns: Sequence[Values], count: int) -> bytes:
        """So many rows, given column by column; the format takes the values out of the lists."""

    def end(self, row_count: int) -> bytes:
        """What stands after the rows, of which the statement has given, or changed, so many."""
