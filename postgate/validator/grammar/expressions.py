"""Operators by precedence (gram.y, a_expr and b_expr; manual, "Operator Precedence")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

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
_CHAIN_LIMIT = 10_000


class Expressions(Chapter):
    """Operands with operators before, between and after them."""

    __slots__ = ()

    def a_expr(self) -> exp.Expression:
        self.cursor.descend()
        node = self._expression(0, bare=False)
        self.cursor.ascend()
        return node

    def b_expr(self) -> exp.Expression:
        self.cursor.descend()
        node = self._expression(0, bare=True)
        self.cursor.ascend()
        return node

    def _expression(self, minimum: int, bare: bool) -> exp.Expression:
        """An expression whose operators bind at least as tightly as `minimum`."""
        return self.operators(self.operand(bare), minimum, bare)

    def operand(self, bare: bool) -> exp.Expression:
        """An operand with the prefix operators before it."""
        kind = self.cursor.current.kind
        if kind == "OP":
            return self._prefixed(bare)
        if kind == "IDENT":
            if not bare and self.cursor.at("not"):
                self.cursor.advance()
                self.cursor.descend()
                node: exp.Expression = exp.Not(this=self._expression(_NOT + 1, bare))
                self.cursor.ascend()
                return node
            if self.cursor.at("operator") and self.cursor.peek(1).kind == "(":
                schema, operator = self.qualified_operator()
                return self._prefix_node(operator, schema, _OPERATOR + 1, bare)
        node = self.grammar.operands.c_expr()
        return self.grammar.operands.overlaps(node) if not bare and isinstance(node, exp.Tuple) else node

    def _prefixed(self, bare: bool) -> exp.Expression:
        operator = self.cursor.current.value
        if _LEVELS.get(operator) not in (_SUM, None):
            self.cursor.unexpected()
        self.cursor.advance()
        return self._prefix_node(operator, None, _SIGN + 1 if operator in _LEVELS else _OPERATOR + 1, bare)

    def _prefix_node(self, operator: str, schema: Any, minimum: int, bare: bool) -> exp.Expression:
        self.cursor.descend()
        operand = self._expression(minimum, bare)
        self.cursor.ascend()
        return exp.Operator(operator=operator, schema=schema, expression=operand)

    def operators(self, left: exp.Expression, minimum: int, bare: bool) -> exp.Expression:
        """The operators after an operand, as far as they bind at least as tightly as `minimum`."""
        links = 0
        closed = 0  # the level of a non-associative operator that has just ended
        while True:
            level = self._operator_level(bare)
            if level is None or level < minimum:
                return left
            if level == closed:
                self.cursor.unexpected()
            if not self._operator_goes_on():
                # PostgreSQL can take the word as a label only where no operator waits for what it ends.
                if minimum:
                    self.cursor.unexpected()
                return left
            links += 1
            if links > _CHAIN_LIMIT:
                self.cursor.refuse(f"an expression has more than {_CHAIN_LIMIT} operators in a row", reason="limit")
            left, ends_open = self._infix(left, level, bare)
            closed = level if ends_open and level in _NONASSOCIATIVE else 0

    def _operator_level(self, bare: bool) -> int | None:
        """The level of the operator that comes next, None when none does."""
        token = self.cursor.current
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
        if word == "not" and self.cursor.next_word() not in _NEGATABLE:
            return None
        return level

    def _operator_goes_on(self) -> bool:
        """Whether the word that comes next is an operator, rather than a label of the same name."""
        word = self.cursor.word()
        if word == "at":
            return self.cursor.next_word() in ("time", "local")
        if word == "similar":
            return self.cursor.next_word() == "to"
        return word != "operator" or self.cursor.peek(1).kind == "("

    def _infix(self, left: exp.Expression, level: int, bare: bool) -> tuple[exp.Expression, bool]:
        """The operator with what follows it, and whether it ended with an operand."""
        kind = self.cursor.current.kind
        if kind == "OP":
            operator = self.cursor.current.value
            self.cursor.advance()
            return self._binary(left, operator, None, level, bare)
        if kind == "::":
            self.cursor.advance()
            return exp.Cast(this=left, to=self.grammar.types.type_name()), False
        word = self.cursor.word()
        if word in ("and", "or"):
            self.cursor.advance()
            return self._junction(left, exp.And if word == "and" else exp.Or, level, bare), True
        if word in ("is", "isnull", "notnull"):
            return self._test(left, bare)
        if word == "operator":
            schema, operator = self.qualified_operator()
            return self._binary(left, operator, schema, level, bare)
        if word == "at":
            return self._at_time_zone(left, bare)
        if word == "collate":
            self.cursor.advance()
            return exp.Collate(this=left, expression=self.grammar.names.qualified_name()), False
        return self._match_test(left)

    def _binary(
        self, left: exp.Expression, operator: str, schema: Any, level: int, bare: bool
    ) -> tuple[exp.Expression, bool]:
        if not bare and self.cursor.at_any(_QUANTIFIERS):
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

    def qualified_operator(self) -> tuple[exp.Identifier | None, str]:
        """OPERATOR ( schema . operator )"""
        self.cursor.expect("operator")
        self.cursor.expect_kind("(")
        schema = None
        if not self.cursor.at_kind("OP"):
            schema = self.grammar.names.col_id()
            self.cursor.expect_kind(".")
        if not self.cursor.at_kind("OP"):
            self.cursor.unexpected()
        operator: str = self.cursor.current.value
        self.cursor.advance()
        self.cursor.expect_kind(")")
        return schema, operator

    def _quantified(self) -> exp.Expression:
        """ANY, SOME or ALL of a query or an array."""
        node = exp.All if self.cursor.accept_any(_QUANTIFIERS) == "all" else exp.Any
        inner = self.grammar.operands.in_parentheses()
        if isinstance(inner, exp.Tuple):
            self.cursor.refuse("ANY and ALL take one array or query", self.cursor.previous)
        return node(this=inner)

    def _at_time_zone(self, left: exp.Expression, bare: bool) -> tuple[exp.Expression, bool]:
        self.cursor.advance()
        if self.cursor.accept("local"):
            return exp.AtTimeZone(this=left), False
        self.cursor.expect("time", "zone")
        return exp.AtTimeZone(this=left, zone=self._expression(_AT + 1, bare)), True

    def _test(self, left: exp.Expression, bare: bool) -> tuple[exp.Expression, bool]:
        """IS and what comes after it."""
        if not bare and self.cursor.accept("isnull"):
            return exp.Is(this=left, test="null"), False
        if not bare and self.cursor.accept("notnull"):
            return exp.Is(this=left, test="null", negated=True), False
        self.cursor.expect("is")
        negated = self.cursor.accept("not")
        if self.cursor.accept("distinct", "from"):
            right = self._expression(_IS + 1, bare)
            return exp.Is(this=left, test="distinct", negated=negated, expression=right), True
        if bare:
            self.cursor.expect("document")
            return exp.Is(this=left, test="document", negated=negated), False
        test = self.cursor.accept_any(_TESTS) or self._normalized() or self._json_test()
        return exp.Is(this=left, test=test, negated=negated), False

    def _normalized(self) -> str | None:
        if self.cursor.next_word() == "normalized":
            if not self.cursor.accept_any(_NORMAL_FORMS):
                self.cursor.unexpected()
        elif not self.cursor.at("normalized"):
            return None
        self.cursor.expect("normalized")
        return "normalized"

    def _json_test(self) -> str:
        """IS JSON and its refinements."""
        self.cursor.expect("json")
        self.cursor.accept_any(_JSON_KINDS)
        self.unique_keys()
        return "json"

    def unique_keys(self) -> None:
        """json_key_uniqueness_constraint_opt"""
        if self.cursor.next_word() not in ("time", "ordinality") and self.cursor.accept_any(_UNIQUENESS):
            self.cursor.expect("unique")
            self.cursor.accept("keys")

    def _match_test(self, left: exp.Expression) -> tuple[exp.Expression, bool]:
        """[NOT] BETWEEN, IN, LIKE, ILIKE, SIMILAR TO"""
        negated = self.cursor.accept("not")
        word = self.cursor.word()
        self.cursor.advance()
        if word == "in":
            return exp.In(this=left, expression=self.grammar.operands.in_parentheses(), negated=negated), False
        if word == "between":
            symmetric = self.cursor.accept("symmetric")
            if not symmetric:
                self.cursor.accept("asymmetric")
            low = self._expression(0, bare=True)
            self.cursor.expect("and")
            high = self._expression(_MATCH + 1, bare=False)
            return exp.Between(this=left, low=low, high=high, symmetric=symmetric, negated=negated), True
        if word == "similar":
            self.cursor.expect("to")
        elif self.cursor.at_any(_QUANTIFIERS):
            return exp.Like(this=left, expression=self._quantified(), word=word, negated=negated), False
        pattern = self._expression(_ESCAPE + 1, bare=False)
        escape = self._expression(_ESCAPE, bare=False) if self.cursor.accept("escape") else None
        return exp.Like(this=left, expression=pattern, escape=escape, word=word, negated=negated), True
