"""Operands of expressions (gram.y, c_expr; manual, "Value Expressions")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.types import TypeGrammar
from postgate.validator.lists.keywords import COL_NAME, RESERVED, TYPE_FUNC_NAME

_QUERY_WORDS = frozenset({"select", "values", "with", "table"})
_QUERY_CONTINUATIONS = frozenset({"union", "intersect", "except", "order", "limit", "offset", "fetch", "for"})
_NOT_FUNCTION = COL_NAME | RESERVED
_NOT_COLUMN = TYPE_FUNC_NAME | RESERVED


class ExpressionGrammar(TypeGrammar):
    """Constants, names, parentheses, and the words that begin an operand of their own."""

    def _c_expr(self) -> exp.Expression:
        """c_expr, with the fields and subscripts after it where it may have them."""
        kind = self._kind()
        if kind == "IDENT":
            return self._word_operand()
        if kind == "QIDENT":
            return self._name_operand()
        if kind == "PARAM":
            return self._indirection(self._placeholder())
        if kind == "SCONST":
            return self._string()
        if kind == "(":
            return self._parenthesised_operand()
        if kind in ("ICONST", "FCONST", "BCONST", "XCONST"):
            return self._literal(is_string=False)
        self._unexpected()

    def _parenthesised_operand(self) -> exp.Expression:
        """A row, or an expression or query with fields and subscripts."""
        node = self._in_parentheses()
        return node if isinstance(node, exp.Tuple) else self._indirection(node)

    def _overlaps(self, row: exp.Expression) -> exp.Expression:
        if not self._accept("overlaps"):
            return row
        other = self._row() if self._at("row") else self._in_parentheses()
        if not isinstance(other, exp.Tuple) or len(other.expressions) != 2 or len(row.expressions) != 2:
            self._refuse("OVERLAPS compares two rows of two", self._prev)
        return exp.Overlaps(this=row, expression=other)

    def _row(self) -> exp.Tuple:
        """ROW ( ... )"""
        self._expect("row")
        self._expect_punct("(")
        items = [] if self._at_punct(")") else self._list(self._a_expr)
        self._expect_punct(")")
        return exp.Tuple(expressions=items, explicit=True)

    def _at_query_in_parentheses(self) -> bool:
        """Whether the parentheses that come next begin with a query; PostgreSQL decides by the same words."""
        if self._curr.kind != "(":
            return False
        # All parentheses in a row have the same inside, so one look is enough for them.
        if self._index >= self._parentheses_end:
            ahead = 1
            while self._peek(ahead).kind == "(":
                ahead += 1
                if ahead > self.nesting_limit:
                    self._refuse_depth()
            self._parentheses_end = self._index + ahead
            self._is_query_inside = self._begins_query(self._peek(ahead), self._peek(ahead + 1))
        return self._is_query_inside

    def _begins_query(self, token: Any, following: Any) -> bool:
        if token.kind != "IDENT" or token.value not in _QUERY_WORDS:
            return False
        return bool(token.value != "values" or following.kind == "(")

    def _in_parentheses(self) -> exp.Expression:
        """( query ), ( expression ) or ( row ): exp.Subquery, exp.Paren or exp.Tuple."""
        self._descend()
        if self._at_query_in_parentheses():
            node = self._query_or_expression()
        else:
            self._expect_punct("(")
            node = self._rest_of_list(self._a_expr())
        self._ascend()
        return node

    def _rest_of_list(self, first: exp.Expression) -> exp.Expression:
        """What follows the first expression in parentheses."""
        if self._punct(")"):
            return exp.Paren(this=first)
        self._expect_punct(",")
        items = [first, *self._list(self._a_expr)]
        self._expect_punct(")")
        return exp.Tuple(expressions=items)

    def _query_or_expression(self) -> exp.Expression:
        """Parentheses that begin with a query: what follows it says whether it is all of them."""
        self._expect_punct("(")
        if not self._at_punct("("):
            query = self._select_stmt()
            self._expect_punct(")")
            return exp.Subquery(this=query)
        first = self._in_parentheses()
        if isinstance(first, exp.Subquery):
            if self._punct(")"):
                return exp.Subquery(this=first)
            if self._at_any(_QUERY_CONTINUATIONS):
                query = self._select_rest(first)
                self._expect_punct(")")
                return exp.Subquery(this=query)
        operand = self._overlaps(first) if isinstance(first, exp.Tuple) else self._indirection(first)
        return self._rest_of_list(self._operators(operand, 0, bare=False))

    def _select_rest(self, query: exp.Expression) -> exp.Expression:
        """SelectGrammar: what may follow a query in parentheses."""
        raise NotImplementedError

    def _indirection(self, node: exp.Expression) -> exp.Expression:
        """opt_indirection: fields, .* and subscripts."""
        links = 0
        while True:
            if self._punct("."):
                node = exp.Dot(this=node, expression=self._star() or self._col_label())
                if isinstance(node.expression, exp.Star):
                    return node
            elif self._at_punct("["):
                node = exp.Bracket(this=node, expressions=[self._subscript()])
            else:
                return node
            links += 1
            if links > self.nesting_limit:
                self._refuse(f"more than {self.nesting_limit} fields or subscripts in a row")

    def _star(self) -> exp.Star | None:
        return exp.Star() if self._accept_op("*") else None

    def _subscript(self) -> exp.Expression:
        """[ index ] or [ from : to ]"""
        self._expect_punct("[")
        low = None if self._at_punct(":") else self._a_expr()
        if self._punct(":"):
            high = None if self._at_punct("]") else self._a_expr()
            self._expect_punct("]")
            return exp.Slice(this=low, expression=high)
        self._expect_punct("]")
        if low is None:
            self._unexpected()
        return low

    def _word_operand(self) -> exp.Expression:
        """An operand that begins with a word: a keyword's own syntax, a typed constant, a call or a column."""
        word = self._curr.value
        special = _SPECIAL.get(word)
        if special is not None:
            node: exp.Expression | None = getattr(self, special)()
            if node is not None:
                return node
        if self._at_built_in_type() and (node := self._typed_constant()) is not None:
            return node
        return self._name_operand()

    def _typed_constant(self) -> exp.Expression | None:
        """ConstTypename Sconst, for types with a syntax of their own; None when the word is a column's name."""
        following = self._peek(1)
        if following.kind in ("SCONST", "(") or (following.kind == "IDENT" and self._goes_on_as_type(following.value)):
            data_type = self._built_in_type(literal=True)
            value = self._string()
            if data_type.args["kind"].name == "interval" and not data_type.expressions:
                data_type.set("expressions", self._interval_fields())
            return exp.Cast(this=value, to=data_type, typed=True)
        return None

    def _goes_on_as_type(self, following: str) -> bool:
        word = self._curr.value
        if word in ("time", "timestamp"):
            return following in ("with", "without") and self._peek(2).value == "time"
        if word in ("char", "character", "nchar", "national", "bit", "double"):
            return following in ("varying", "character", "char", "precision")
        return False

    def _name_operand(self) -> exp.Expression:
        """A call, a constant of a named type, or a column with its fields."""
        first = self._curr
        quoted = first.kind == "QIDENT"
        can_be_function = quoted or first.value not in _NOT_FUNCTION
        can_be_column = quoted or first.value not in _NOT_COLUMN
        following = self._peek(1).kind
        if following in ("(", "SCONST") and can_be_function:
            return self._called_or_typed([self._identifier()])
        if not can_be_column:
            self._unexpected()
        parts: list[exp.Expression] = [self._identifier()]
        while self._at_punct(".") and not isinstance(parts[-1], exp.Star):
            self._advance()
            parts.append(self._star() or self._col_label())
        if isinstance(parts[-1], exp.Star):
            return self._column(parts)
        if len(parts) > 1 and self._kind() in ("(", "SCONST"):
            return self._called_or_typed(parts)
        return self._indirection(self._column(parts))

    def _column(self, parts: list[exp.Expression]) -> exp.Column:
        if len(parts) > 4:
            self._refuse("a column's name has at most four parts", self._prev)
        names: dict[str, Any] = dict(zip(("this", "table", "db", "catalog"), reversed(parts), strict=False))
        return exp.Column(**names)

    def _operators(self, left: exp.Expression, minimum: int, bare: bool) -> exp.Expression:
        """OperatorGrammar: the operators after an operand."""
        raise NotImplementedError

    def _called_or_typed(self, parts: list[Any]) -> exp.Expression:
        """CallGrammar: a call, or a constant of a named type, after the name."""
        raise NotImplementedError


_SPECIAL = {
    "array": "_array",
    "case": "_case",
    "cast": "_cast",
    "coalesce": "_plain_call",
    "collation": "_collation_for",
    "current_catalog": "_value_function",
    "current_date": "_value_function",
    "current_role": "_value_function",
    "current_schema": "_value_function",
    "current_time": "_value_function",
    "current_timestamp": "_value_function",
    "current_user": "_value_function",
    "exists": "_exists",
    "extract": "_extract",
    "false": "_boolean",
    "greatest": "_plain_call",
    "grouping": "_plain_call",
    "json": "_json_constructor",
    "json_array": "_json_array",
    "json_arrayagg": "_json_arrayagg",
    "json_exists": "_json_query_function",
    "json_object": "_json_object",
    "json_objectagg": "_json_objectagg",
    "json_query": "_json_query_function",
    "json_scalar": "_json_scalar",
    "json_serialize": "_json_serialize",
    "json_value": "_json_query_function",
    "least": "_plain_call",
    "localtime": "_value_function",
    "localtimestamp": "_value_function",
    "merge_action": "_plain_call",
    "normalize": "_normalize",
    "null": "_null",
    "nullif": "_plain_call",
    "overlay": "_overlay",
    "position": "_position",
    "row": "_row_operand",
    "session_user": "_value_function",
    "substring": "_substring",
    "system_user": "_value_function",
    "treat": "_refused_call",
    "trim": "_trim",
    "true": "_boolean",
    "unique": "_refused_call",
    "user": "_value_function",
    "xmlconcat": "_plain_call",
    "xmlelement": "_xmlelement",
    "xmlexists": "_xmlexists",
    "xmlforest": "_xmlforest",
    "xmlparse": "_xmlparse",
    "xmlpi": "_xmlpi",
    "xmlroot": "_xmlroot",
    "xmlserialize": "_xmlserialize",
}
