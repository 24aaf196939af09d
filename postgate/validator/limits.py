"""How large a statement may be, so that reading it takes well under a second whatever is in it."""

from typing import NamedTuple


class TextLimits(NamedTuple):
    """The bounds on the text of one statement.

    Attributes:
        characters: the length of the text.
        steps: the work of reading it: three for each word or quoted name, one for any other token or row of constants.
        nesting: how many levels of parentheses, calls and queries stand in one another.
    """

    characters: int = 1024 * 1024
    steps: int = 80_000
    nesting: int = 256


DEFAULT = TextLimits()
