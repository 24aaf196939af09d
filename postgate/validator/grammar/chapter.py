"""What every chapter of the grammar has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postgate.validator.grammar.statements import Grammar


class Chapter:
    """Productions that belong together, as in a chapter of PostgreSQL's manual.

    They read from the cursor and call productions of other chapters by `grammar`: the grammar is one cycle, so no
    chapter can import the others.
    """

    __slots__ = ("cursor", "grammar")

    def __init__(self, grammar: Grammar) -> None:
        self.cursor = grammar.cursor
        self.grammar = grammar
