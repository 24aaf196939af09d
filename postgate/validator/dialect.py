"""sqlglot's postgres dialect, with PostgreSQL's own lexer and a grammar that loses nothing of what it reads."""

import sys

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.tokenizer_core import Token as SqlglotToken

from postgate.validator.grammar.cursor import GrammarToken
from postgate.validator.grammar.statements import StatementGrammar
from postgate.validator.limits import DEFAULT, Limits
from postgate.validator.reading.lexer import Token, tokenize

# A level of nesting takes up to twenty frames of the interpreter; the nesting limit keeps far below this.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 10_000))


class PostgateDialect(Postgres):
    """PostgreSQL as PostgreSQL reads it."""

    class Parser(StatementGrammar):
        pass

    def tokenize(self, sql: str, dialect: object = None) -> list[SqlglotToken]:
        return [GrammarToken(token) for token in tokenize(sql)]


_DIALECT = PostgateDialect()


def parse(sql: str, limits: Limits = DEFAULT) -> tuple[list[exp.Expression], list[Token]]:
    """The tree of every statement of a text, and the lexer's tokens.

    Raises:
        LexError: the text has no valid tokens.
        GrammarError: the tokens are no statement of the grammar.
    """
    tokens = tokenize(sql, limits)
    parser = PostgateDialect.Parser(dialect=_DIALECT)
    parser.nesting_limit = limits.nesting
    roots = parser.parse([GrammarToken(token) for token in tokens], sql)
    return [root for root in roots if isinstance(root, exp.Expression)], tokens
