"""Expressions by operator precedence (gram.y, a_expr, b_expr and c_expr; manual, "Operator Precedence")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.cursor import NESTING_LIMIT
from postgate.validator.grammar.types import TypeGrammar
from postgate.validator.keywords import COL_NAME, RESERVED, TYPE_FUNC_NAME

# Levels of gram.y, from the loosest to the tightest.
_OR, _AND, _NOT, _IS, _COMPARISON, _MATCH, _ESCAPE, _OPERATOR, _SUM, _PRODUCT, _POWER, _AT, _COLLATE, _SIGN, _CAST = (
    range(1, 16)
)
_LEVELS = {
    "<": _COMPARISON,
    ">": _COMPARISON,
    "=": _COMPARISON,
    "<=": _COMPARISON,
    ">=": _COMPARISON,
    "<>": _COMPARISON,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "%": _PRODUCT,
    "^": _POWER,
}
_WORD_LEVELS = {
    "or": _OR,
    "and": _AND,
    "is": _IS,
    "isnull": _IS,
    "notnull": _IS,
    "between": _MATCH,
    "in": _MATCH,
    "like": _MATCH,
    "ilike": _MATCH,
    "similar": _MATCH,
    "not": _MATCH,
    "operator": _OPERATOR,
    "at": _AT,
    "collate": _COLLATE,
}
# b_expr has no others, because AND and IN mean something else where it stands.
_BARE_WORDS = frozenset({"is", "operator"})
_NONASSOCIATIVE = frozenset({_IS, _COMPARISON, _MATCH})
_NEGATABLE = frozenset({"between", "in", "like", "ilike", "similar"})
_QUANTIFIERS = frozenset({"any", "some", "all"})
_TESTS = frozenset({"true", "false", "unknown", "document", "null"})
_NORMAL_FORMS = frozenset({"nfc", "nfd", "nfkc", "nfkd"})
_JSON_KINDS = frozenset({"value", "array", "object", "scalar"})
_UNIQUENESS = frozenset({"with", "without"})
_QUERY_WORDS = frozenset({"select", "values", "with", "table"})
_QUERY_CONTINUATIONS = frozenset({"union", "intersect", "except", "order", "limit", "offset", "fetch", "for"})
_NOT_FUNCTION = COL_NAME | RESERVED
_NOT_COLUMN = TYPE_FUNC_NAME | RESERVED
_CHAIN_LIMIT = 10_000


class ExpressionGrammar(TypeGrammar):
    """Operators and operands."""

    def _a_expr(self) -> exp.Expression:
        self._descend()
        node = self._expression(0, bare=False)
        self._ascend()
        return node

    def _b_expr(self) -> exp.Expression:
        self._descend()
        node = self._expression(0, bare=True)
        self._ascend()
        return node

    def _expression(self, minimum: int, bare: bool) -> exp.Expression:
        """An expression whose operators bind at least as tightly as `minimum`."""
        return self._operators(self._operand(bare), minimum, bare)

    def _operand(self, bare: bool) -> exp.Expression:
        """An operand with the prefix operators before it."""
        kind = self._kind()
        if kind == "OP":
            return self._prefixed(bare)
        if kind == "IDENT":
            if not bare and self._at("not"):
                self._advance()
                self._descend()
                node: exp.Expression = exp.Not(this=self._expression(_NOT + 1, bare))
                self._ascend()
                return node
            if self._at("operator") and self._peek(1).kind == "(":
                schema, operator = self._qualified_operator()
                return self._prefix_node(operator, schema, _OPERATOR + 1, bare)
        node = self._c_expr()
        return self._overlaps(node) if not bare and isinstance(node, exp.Tuple) else node

    def _prefixed(self, bare: bool) -> exp.Expression:
        operator = self._curr.value
        if _LEVELS.get(operator) not in (_SUM, None):
            self._unexpected()
        self._advance()
        return self._prefix_node(operator, None, _SIGN + 1 if operator in _LEVELS else _OPERATOR + 1, bare)

    def _prefix_node(self, operator: str, schema: Any, minimum: int, bare: bool) -> exp.Expression:
        self._descend()
        operand = self._expression(minimum, bare)
        self._ascend()
        return exp.Operator(operator=operator, schema=schema, expression=operand)

    def _operators(self, left: exp.Expression, minimum: int, bare: bool) -> exp.Expression:
        """The operators after an operand, as far as they bind at least as tightly as `minimum`."""
        links = 0
        closed = 0  # the level of a non-associative operator that has just ended
        while True:
            level = self._operator_level(bare)
            if level is None or level < minimum:
                return left
            if level == closed:
                self._unexpected()
            if not self._operator_goes_on():
                # PostgreSQL can take the word as a label only where no operator waits for what it ends.
                if minimum:
                    self._unexpected()
                return left
            links += 1
            if links > _CHAIN_LIMIT:
                self._refuse(f"an expression has more than {_CHAIN_LIMIT} operators in a row")
            left, ends_open = self._infix(left, level, bare)
            closed = level if ends_open and level in _NONASSOCIATIVE else 0

    def _operator_level(self, bare: bool) -> int | None:
        """The level of the operator that comes next, None when none does."""
        token = self._curr
        if not token:
            return None
        if token.kind == "OP":
            return _LEVELS.get(token.value, _OPERATOR)
        if token.kind == "::":
            return _CAST
        if token.kind != "IDENT":
            return None
        word = token.value
        level = _WORD_LEVELS.get(word)
        if level is None or (bare and word not in _BARE_WORDS):
            return None
        if word == "not" and self._next_word() not in _NEGATABLE:
            return None
        return level

    def _operator_goes_on(self) -> bool:
        """Whether the word that comes next is an operator, rather than a label of the same name."""
        word = self._word()
        if word == "at":
            return self._next_word() in ("time", "local")
        if word == "similar":
            return self._next_word() == "to"
        return word != "operator" or self._peek(1).kind == "("

    def _infix(self, left: exp.Expression, level: int, bare: bool) -> tuple[exp.Expression, bool]:
        """The operator with what follows it, and whether it ended with an operand."""
        kind = self._kind()
        if kind == "OP":
            operator = self._curr.value
            self._advance()
            return self._binary(left, operator, None, level, bare)
        if kind == "::":
            self._advance()
            return exp.Cast(this=left, to=self._type_name()), False
        word = self._word()
        if word in ("and", "or"):
            self._advance()
            return self._junction(left, exp.And if word == "and" else exp.Or, level, bare), True
        if word in ("is", "isnull", "notnull"):
            return self._test(left, bare)
        if word == "operator":
            schema, operator = self._qualified_operator()
            return self._binary(left, operator, schema, level, bare)
        if word == "at":
            return self._at_time_zone(left, bare)
        if word == "collate":
            self._advance()
            return exp.Collate(this=left, expression=self._qualified_name()), False
        return self._match_test(left)

    def _binary(
        self, left: exp.Expression, operator: str, schema: Any, level: int, bare: bool
    ) -> tuple[exp.Expression, bool]:
        if not bare and self._at_any(_QUANTIFIERS):
            right, open_ = self._quantified(), False
        else:
            right, open_ = self._expression(level + 1, bare), True
        return exp.Operator(this=left, operator=operator, schema=schema, expression=right), open_

    def _junction(self, left: exp.Expression, kind: Any, level: int, bare: bool) -> Any:
        """AND and OR are kept flat: a chain of them is no deeper than one."""
        right = self._expression(level + 1, bare)
        if type(left) is kind:
            left.append("expressions", right)
            return left
        return kind(expressions=[left, right])

    def _qualified_operator(self) -> tuple[exp.Identifier | None, str]:
        """OPERATOR ( schema . operator )"""
        self._expect("operator")
        self._expect_punct("(")
        schema = None
        if not self._at_punct("OP"):
            schema = self._col_id()
            self._expect_punct(".")
        if not self._at_punct("OP"):
            self._unexpected()
        operator: str = self._curr.value
        self._advance()
        self._expect_punct(")")
        return schema, operator

    def _quantified(self) -> exp.Expression:
        """ANY, SOME or ALL of a query or an array."""
        node = exp.All if self._accept_any(_QUANTIFIERS) == "all" else exp.Any
        inner = self._in_parentheses()
        if isinstance(inner, exp.Tuple):
            self._refuse("ANY and ALL take one array or query", self._prev)
        return node(this=inner)

    def _at_time_zone(self, left: exp.Expression, bare: bool) -> tuple[exp.Expression, bool]:
        self._advance()
        if self._accept("local"):
            return exp.AtTimeZone(this=left), False
        self._expect("time", "zone")
        return exp.AtTimeZone(this=left, zone=self._expression(_AT + 1, bare)), True

    def _test(self, left: exp.Expression, bare: bool) -> tuple[exp.Expression, bool]:
        """IS and what comes after it."""
        if not bare and self._accept("isnull"):
            return exp.Is(this=left, test="null"), False
        if not bare and self._accept("notnull"):
            return exp.Is(this=left, test="null", negated=True), False
        self._expect("is")
        negated = self._accept("not")
        if self._accept("distinct", "from"):
            right = self._expression(_IS + 1, bare)
            return exp.Is(this=left, test="distinct", negated=negated, expression=right), True
        if bare:
            self._expect("document")
            return exp.Is(this=left, test="document", negated=negated), False
        test = self._accept_any(_TESTS) or self._normalized() or self._json_test()
        return exp.Is(this=left, test=test, negated=negated), False

    def _normalized(self) -> str | None:
        if self._next_word() == "normalized":
            if not self._accept_any(_NORMAL_FORMS):
                self._unexpected()
        elif not self._at("normalized"):
            return None
        self._expect("normalized")
        return "normalized"

    def _json_test(self) -> str:
        """IS JSON and its refinements."""
        self._expect("json")
        self._accept_any(_JSON_KINDS)
        self._unique_keys()
        return "json"

    def _unique_keys(self) -> None:
        """json_key_uniqueness_constraint_opt"""
        if self._next_word() not in ("time", "ordinality") and self._accept_any(_UNIQUENESS):
            self._expect("unique")
            self._accept("keys")

    def _match_test(self, left: exp.Expression) -> tuple[exp.Expression, bool]:
        """[NOT] BETWEEN, IN, LIKE, ILIKE, SIMILAR TO"""
        negated = self._accept("not")
        word = self._word()
        self._advance()
        if word == "in":
            return exp.In(this=left, expression=self._in_parentheses(), negated=negated), False
        if word == "between":
            symmetric = self._accept("symmetric")
            if not symmetric:
                self._accept("asymmetric")
            low = self._expression(0, bare=True)
            self._expect("and")
            high = self._expression(_MATCH + 1, bare=False)
            return exp.Between(this=left, low=low, high=high, symmetric=symmetric, negated=negated), True
        if word == "similar":
            self._expect("to")
        elif self._at_any(_QUANTIFIERS):
            return exp.Like(this=left, expression=self._quantified(), word=word, negated=negated), False
        pattern = self._expression(_ESCAPE + 1, bare=False)
        escape = self._expression(_ESCAPE, bare=False) if self._accept("escape") else None
        return exp.Like(this=left, expression=pattern, escape=escape, word=word, negated=negated), True

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
        ahead = 0
        while self._peek(ahead).kind == "(":
            ahead += 1
            if ahead > NESTING_LIMIT:
                self._refuse(f"the statement is nested more than {NESTING_LIMIT} levels deep")
        token = self._peek(ahead)
        return ahead > 0 and self._begins_query(token, self._peek(ahead + 1))

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
            if links > NESTING_LIMIT:
                self._refuse(f"more than {NESTING_LIMIT} fields or subscripts in a row")

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

    def _called_or_typed(self, parts: list[Any]) -> exp.Expression:
        """FunctionGrammar: a call, or a constant of a named type, after the name."""
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
