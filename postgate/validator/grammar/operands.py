"""Operands of expressions (gram.y, c_expr; manual, "Value Expressions")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.grammar.keyword_operands import KEYWORD_OPERANDS
from postgate.validator.lists.keywords import COL_NAME, RESERVED, TYPE_FUNC_NAME
from postgate.validator.reading.lexer import Token

if TYPE_CHECKING:
    from postgate.validator.grammar.statements import Grammar

_QUERY_WORDS = frozenset({"select", "values", "with", "table"})
_QUERY_CONTINUATIONS = frozenset({"union", "intersect", "except", "order", "limit", "offset", "fetch", "for"})
_NOT_FUNCTION = COL_NAME | RESERVED
_NOT_COLUMN = TYPE_FUNC_NAME | RESERVED


class Operands(Chapter):
    """Constants, names, parentheses, and the words that begin an operand of their own."""

    __slots__ = ("_is_query_inside", "_parentheses_end")

    def __init__(self, grammar: Grammar) -> None:
        super().__init__(grammar)
        # Where the parentheses end that were looked into last, and what was found inside of them.
        self._parentheses_end = 0
        self._is_query_inside = False

    def c_expr(self) -> exp.Expression:
        """c_expr, with the fields and subscripts after it where it may have them."""
        kind = self.cursor.current.kind
        if kind == "IDENT":
            return self._word_operand()
        if kind == "QIDENT":
            return self._name_operand()
        if kind == "PARAM":
            return self.indirection(self.grammar.constants.placeholder())
        if kind == "SCONST":
            return self.grammar.constants.string()
        if kind == "(":
            return self._parenthesised_operand()
        if kind in ("ICONST", "FCONST", "BCONST", "XCONST"):
            return self.grammar.constants.literal(is_string=False)
        self.cursor.unexpected()

    def _parenthesised_operand(self) -> exp.Expression:
        """A row, or an expression or query with fields and subscripts."""
        node = self.in_parentheses()
        return node if isinstance(node, exp.Tuple) else self.indirection(node)

    def overlaps(self, row: exp.Expression) -> exp.Expression:
        if not self.cursor.accept("overlaps"):
            return row
        other = self.row() if self.cursor.at("row") else self.in_parentheses()
        if not isinstance(other, exp.Tuple) or len(other.expressions) != 2 or len(row.expressions) != 2:
            self.cursor.refuse("OVERLAPS compares two rows of two", self.cursor.previous)
        return exp.Overlaps(this=row, expression=other)

    def row(self) -> exp.Tuple:
        """ROW ( ... )"""
        self.cursor.expect("row")
        self.cursor.expect_kind("(")
        items = [] if self.cursor.at_kind(")") else self.cursor.comma_list(self.grammar.expressions.a_expr)
        self.cursor.expect_kind(")")
        return exp.Tuple(expressions=items, explicit=True)

    def at_query_in_parentheses(self) -> bool:
        """Whether the parentheses that come next begin with a query; PostgreSQL decides by the same words."""
        if self.cursor.current.kind != "(":
            return False
        # All parentheses in a row have the same inside, so one look is enough for them.
        if self.cursor.index >= self._parentheses_end:
            ahead = 1
            while self.cursor.peek(ahead).kind == "(":
                ahead += 1
                if ahead > self.cursor.nesting_limit:
                    self.cursor.refuse_depth()
            self._parentheses_end = self.cursor.index + ahead
            self._is_query_inside = self.begins_query(self.cursor.peek(ahead), self.cursor.peek(ahead + 1))
        return self._is_query_inside

    def begins_query(self, token: Token, following: Token) -> bool:
        if token.kind != "IDENT" or token.value not in _QUERY_WORDS:
            return False
        return token.value != "values" or following.kind in ("(", "ROW")

    def in_parentheses(self) -> exp.Expression:
        """( query ), ( expression ) or ( row ): exp.Subquery, exp.Paren or exp.Tuple."""
        self.cursor.descend()
        if self.at_query_in_parentheses():
            node = self._query_or_expression()
        else:
            self.cursor.expect_kind("(")
            node = self._rest_of_list(self.grammar.expressions.a_expr())
        self.cursor.ascend()
        return node

    def _rest_of_list(self, first: exp.Expression) -> exp.Expression:
        """What follows the first expression in parentheses."""
        if self.cursor.accept_kind(")"):
            return exp.Paren(this=first)
        self.cursor.expect_kind(",")
        items = [first, *self.cursor.comma_list(self.grammar.expressions.a_expr)]
        self.cursor.expect_kind(")")
        return exp.Tuple(expressions=items)

    def _query_or_expression(self) -> exp.Expression:
        """Parentheses that begin with a query: what follows it says whether it is all of them."""
        self.cursor.expect_kind("(")
        if not self.cursor.at_kind("("):
            query = self.grammar.queries.select_stmt()
            self.cursor.expect_kind(")")
            return exp.Subquery(this=query)
        first = self.in_parentheses()
        if isinstance(first, exp.Subquery):
            if self.cursor.accept_kind(")"):
                return exp.Subquery(this=first)
            if self.cursor.at_any(_QUERY_CONTINUATIONS):
                query = self.grammar.queries.select_rest(first)
                self.cursor.expect_kind(")")
                return exp.Subquery(this=query)
        operand = self.overlaps(first) if isinstance(first, exp.Tuple) else self.indirection(first)
        return self._rest_of_list(self.grammar.expressions.operators(operand, 0, bare=False))

    def indirection(self, node: exp.Expression) -> exp.Expression:
        """opt_indirection: fields, .* and subscripts."""
        links = 0
        while True:
            if self.cursor.accept_kind("."):
                node = exp.Dot(this=node, expression=self._star() or self.grammar.names.col_label())
                if isinstance(node.expression, exp.Star):
                    return node
            elif self.cursor.at_kind("["):
                node = exp.Bracket(this=node, expressions=[self._subscript()])
            else:
                return node
            links += 1
            if links > self.cursor.nesting_limit:
                self.cursor.refuse(
                    f"more than {self.cursor.nesting_limit} fields or subscripts in a row", reason="limit"
                )

    def _star(self) -> exp.Star | None:
        return exp.Star() if self.cursor.accept_op("*") else None

    def _subscript(self) -> exp.Expression:
        """[ index ] or [ from : to ]"""
        self.cursor.expect_kind("[")
        low = None if self.cursor.at_kind(":") else self.grammar.expressions.a_expr()
        if self.cursor.accept_kind(":"):
            high = None if self.cursor.at_kind("]") else self.grammar.expressions.a_expr()
            self.cursor.expect_kind("]")
            return exp.Slice(this=low, expression=high)
        self.cursor.expect_kind("]")
        if low is None:
            self.cursor.unexpected()
        return low

    def _word_operand(self) -> exp.Expression:
        """An operand that begins with a word: a keyword's own syntax, a typed constant, a call or a column."""
        word = self.cursor.current.value
        parse_operand = KEYWORD_OPERANDS.get(word)
        if parse_operand is not None:
            node = parse_operand(self.grammar)
            if node is not None:
                return node
        if self.grammar.types.at_built_in_type() and (node := self._typed_constant()) is not None:
            return node
        return self._name_operand()

    def _typed_constant(self) -> exp.Expression | None:
        """ConstTypename Sconst, for types with a syntax of their own; None when the word is a column's name."""
        following = self.cursor.peek(1)
        if following.kind in ("SCONST", "(") or (following.kind == "IDENT" and self._goes_on_as_type(following.value)):
            data_type = self.grammar.types.built_in_type(literal=True)
            value = self.grammar.constants.string()
            if data_type.args["kind"].name == "interval" and not data_type.expressions:
                data_type.set("expressions", self.grammar.types.interval_fields())
            return exp.Cast(this=value, to=data_type, typed=True)
        return None

    def _goes_on_as_type(self, following: str) -> bool:
        word = self.cursor.current.value
        if word in ("time", "timestamp"):
            return following in ("with", "without") and self.cursor.peek(2).value == "time"
        if word in ("char", "character", "nchar", "national", "bit", "double"):
            return following in ("varying", "character", "char", "precision")
        return False

    def _name_operand(self) -> exp.Expression:
        """A call, a constant of a named type, or a column with its fields."""
        first = self.cursor.current
        quoted = first.kind == "QIDENT"
        can_be_function = quoted or first.value not in _NOT_FUNCTION
        can_be_column = quoted or first.value not in _NOT_COLUMN
        following = self.cursor.peek(1).kind
        if following in ("(", "SCONST") and can_be_function:
            return self.grammar.calls.called_or_typed([self.grammar.names.identifier()])
        if not can_be_column:
            self.cursor.unexpected()
        parts: list[exp.Expression] = [self.grammar.names.identifier()]
        while self.cursor.at_kind(".") and not isinstance(parts[-1], exp.Star):
            self.cursor.advance()
            parts.append(self._star() or self.grammar.names.col_label())
        if isinstance(parts[-1], exp.Star):
            return self._column(parts)
        if len(parts) > 1 and self.cursor.current.kind in ("(", "SCONST"):
            return self.grammar.calls.called_or_typed(parts)
        return self.indirection(self._column(parts))

    def _column(self, parts: list[exp.Expression]) -> exp.Column:
        if len(parts) > 4:
            self.cursor.refuse("a column's name has at most four parts", self.cursor.previous)
        names: dict[str, Any] = dict(zip(("this", "table", "db", "catalog"), reversed(parts), strict=False))
        return exp.Column(**names)
