"""Where in a text something stands, as people count."""


def place(sql: str, offset: int) -> str:
    """A character's line and column as text for a message, both from 1; only \\n ends a line."""
    line_start = sql.rfind("\n", 0, offset) + 1
    return f"(line {sql.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1})"
