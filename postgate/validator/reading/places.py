"""Where in a text something stands, as people count."""


def placed(message: str, sql: str, offset: int | None) -> str:
    """A message with a character's line and column, both from 1, if it is known; only \\n ends a line."""
    if offset is None:
        return message
    line_start = sql.rfind("\n", 0, offset) + 1
    return f"{message} (line {sql.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1})"


class TextError(Exception):
    """A text is refused at a place in it; the message ends with the line and column.

    Attributes:
        offset: the place, in characters.
    """

    def __init__(self, message: str, sql: str, offset: int) -> None:
        super().__init__(placed(message, sql, offset))
        self.offset = offset
