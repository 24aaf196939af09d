"""Where in a text something stands, as people count."""

from typing import NamedTuple


class Place(NamedTuple):
    """A character of a text, each number from 1: of the text, of the lines, and of its line; only \\n ends a line."""

    position: int
    line: int
    column: int

    @classmethod
    def of(cls, sql: str, offset: int) -> "Place":
        line_start = sql.rfind("\n", 0, offset) + 1
        return cls(offset + 1, sql.count("\n", 0, offset) + 1, offset - line_start + 1)

    def members(self) -> dict[str, int]:
        """By their names."""
        return {"position": self.position, "line": self.line, "column": self.column}


class TextError(Exception):
    """A text is refused.

    Attributes:
        message: what the matter is, for a person.
        reason: the same as a word for a program; docs/api.md has the table.
        place: where, if that is known.
        hint: what would be allowed in its place; "" where nothing is to be said.
    """

    def __init__(self, message: str, sql: str, offset: int | None, reason: str = "syntax", hint: str = "") -> None:
        self.place = None if offset is None else Place.of(sql, offset)
        self.message = message
        self.reason = reason
        self.hint = hint
        super().__init__(placed(message, self.place))


def placed(message: str, place: Place | None) -> str:
    """The message with its line and column."""
    return message if place is None else f"{message} (line {place.line}, column {place.column})"
