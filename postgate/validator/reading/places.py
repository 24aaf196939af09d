"""Where in a text something stands, as people count."""


def placed(message: str, sql: str, offset: int | None) -> str:
    """A message with a character's line and column, both from 1, if it is known; only \\n ends a line."""
    if offset is None:
        return message
    line_start = sql.rfind("\n", 0, offset) + 1
    return f"{message} (line {sql.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1})"
