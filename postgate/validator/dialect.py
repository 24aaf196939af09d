"""sqlglot's postgres dialect, with PostgreSQL's own lexer and a grammar that loses nothing of what it reads."""

from typing import Any

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres

from postgate.validator.grammar.statements import parse_tokens
from postgate.validator.limits import DEFAULT, TextLimits
from postgate.validator.reading.lexer import Token, tokenize


class PostgateDialect(Postgres):
    """PostgreSQL as PostgreSQL reads it: `sqlglot.parse(sql, read=PostgateDialect)` gives our trees."""

    def parse(self, sql: str, **_options: Any) -> list[exp.Expr | None]:
        """The tree of every statement; see `postgate.validator.dialect.parse` for what it raises."""
        return [*parse(sql)[0]]


def parse(sql: str, limits: TextLimits = DEFAULT) -> tuple[list[exp.Expression], list[Token]]:
    """The tree of every statement of a text, and the lexer's tokens.

    Raises:
        LexError: the text has no valid tokens.
        GrammarError: the tokens are no statement of the grammar.
    """
    tokens = tokenize(sql, limits)
    return parse_tokens(tokens, sql, limits.nesting), tokens
