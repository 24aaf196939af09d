"""The grammar, put together; and which statements there are: every other one is refused by its name."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from sqlglot import exp

from postgate.validator.grammar.alterations import Alterations
from postgate.validator.grammar.calls import Calls
from postgate.validator.grammar.changes import Changes
from postgate.validator.grammar.columns import Columns
from postgate.validator.grammar.constants import Constants
from postgate.validator.grammar.cursor import Cursor
from postgate.validator.grammar.definitions import Definitions
from postgate.validator.grammar.explain import Explain
from postgate.validator.grammar.expressions import Expressions
from postgate.validator.grammar.from_items import FromItems
from postgate.validator.grammar.functions import Functions
from postgate.validator.grammar.indexes import Indexes
from postgate.validator.grammar.json import Json
from postgate.validator.grammar.names import Names
from postgate.validator.grammar.operands import Operands
from postgate.validator.grammar.options import Options
from postgate.validator.grammar.queries import Queries
from postgate.validator.grammar.query_tails import QueryTails
from postgate.validator.grammar.tables import Tables
from postgate.validator.grammar.types import Types
from postgate.validator.grammar.user_types import UserTypes
from postgate.validator.grammar.xml import Xml
from postgate.validator.reading.lexer import Token

# A level of nesting takes up to twenty frames of the interpreter; the nesting limit keeps far below this.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 10_000))

_QUERIES = frozenset({"select", "values", "table", "with", "insert", "update", "delete", "merge"})
_DEFINITIONS = frozenset({"create", "alter", "drop", "truncate", "comment", "refresh"})
_DENIED = "statement_denied"
_TRANSACTIONS = frozenset({"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"})
_REFUSED = frozenset(
    """
    analyse analyze call checkpoint close cluster copy deallocate declare discard do execute fetch grant import listen
    load lock move notify prepare reassign reindex repack reset revoke security set show unlisten vacuum wait
    """.split()
)


class Grammar:
    """All chapters, reading from one cursor; good for one statement."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.constants: Constants = Constants(self)
        self.names: Names = Names(self)
        self.types: Types = Types(self)
        self.operands: Operands = Operands(self)
        self.expressions: Expressions = Expressions(self)
        self.calls: Calls = Calls(self)
        self.functions: Functions = Functions(self)
        self.json: Json = Json(self)
        self.xml: Xml = Xml(self)
        self.from_items: FromItems = FromItems(self)
        self.query_tails: QueryTails = QueryTails(self)
        self.queries: Queries = Queries(self)
        self.changes: Changes = Changes(self)
        self.options: Options = Options(self)
        self.columns: Columns = Columns(self)
        self.indexes: Indexes = Indexes(self)
        self.tables: Tables = Tables(self)
        self.user_types: UserTypes = UserTypes(self)
        self.alterations: Alterations = Alterations(self)
        self.definitions: Definitions = Definitions(self)
        self.explain: Explain = Explain(self)

    def statement(self) -> exp.Expression:
        """The statement that all of the tokens make.

        Raises:
            GrammarError: they make none that is known.
        """
        root = self._stmt()
        if self.cursor.current.kind:
            self.cursor.unexpected()
        return root

    def _stmt(self) -> exp.Expression:
        word = self.cursor.word()
        if self.cursor.at_kind("(") or word in _QUERIES:
            return self.changes.preparable_stmt()
        if word in _DEFINITIONS:
            return self.definitions.definition_stmt()
        if word == "explain":
            return self.explain.explain_stmt()
        if word in _TRANSACTIONS:
            self.cursor.refuse(f"{word.upper()} is not allowed: each request is one transaction", reason=_DENIED)
        if word in _REFUSED:
            self.cursor.refuse(f"{word.upper()} is not allowed", reason=_DENIED)
        self.cursor.unexpected()


def parse_tokens(tokens: Sequence[Token], sql: str, nesting_limit: int) -> list[exp.Expression]:
    """The tree of each statement of a text; between semicolons there may be nothing.

    Raises:
        GrammarError: the tokens between two semicolons make no statement that is known.
    """
    return [_statement(Cursor(piece, sql, nesting_limit)) for piece in _split(tokens) if piece]


def _statement(cursor: Cursor) -> exp.Expression:
    try:
        return Grammar(cursor).statement()
    finally:
        cursor.let_go()


def _split(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The tokens between semicolons."""
    start = 0
    for position, token in enumerate(tokens):
        if token.kind == ";":
            yield tokens[start:position]
            start = position + 1
    yield tokens[start:]
