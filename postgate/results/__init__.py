"""The rows of a statement as the bytes of an answer, while they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from postgate.postgres.types import Type

# The values of one column, as PostgreSQL's text.
Values = list[bytes | None]


# Results of so many different columns are remembered; one has no more columns than this.
REMEMBERED, MOST_REMEMBERED = 512, 64


class Origin(NamedTuple):
    """What else PostgreSQL tells of a column (manual, "Message Formats", RowDescription).

    Attributes:
        table, column: the numbers of the table and of its column; 0 for what is none.
        size: the bytes of its type, negative for types of variable width.
        modifier: the type's modifier, such as the length of a varchar; -1 for none.
    """

    table: int
    column: int
    size: int
    modifier: int


class Column(NamedTuple):
    """A column of a result; its origin only for a format that asks for it."""

    name: bytes
    type: Type
    origin: Origin = Origin(0, 0, -1, -1)

    @property
    def text(self) -> str:
        """The name. Only a server whose encoding is SQL_ASCII sends anything else than UTF-8."""
        return self.name.decode("utf-8", "backslashreplace")


class Format(Protocol):
    """How one result is written: `begin` once, `rows` for each piece that arrives, `end` once.

    Attributes:
        reads_types: whether it needs the columns' types where rows come.
        names_types: whether it needs them, with their names, also where no row comes.
        names_origins: whether it needs where the columns come from.
    """

    reads_types: bool
    names_types: bool
    names_origins: bool

    def begin(self, columns: tuple[Column, ...]) -> bytes:
        """What stands before the rows; a statement without a result has no columns."""

    def rows(self, columns: Sequence[Values], count: int) -> bytes:
        """So many rows, given column by column; the format takes the values out of the lists."""

    def end(self, row_count: int, tag: bytes) -> bytes:
        """What stands after the rows, of which the statement has given, or changed, so many.

        Args:
            tag: PostgreSQL's command tag, such as INSERT 0 1.
        """
