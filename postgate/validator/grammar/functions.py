"""Operands that begin with a keyword, and functions with a syntax of their own (gram.y, func_expr_common_subexpr)."""

from collections.abc import Callable

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.lists.keywords import KEYWORDS

_WITH_PRECISION = frozenset({"current_time", "current_timestamp", "localtime", "localtimestamp"})
_FIELD_WORDS = frozenset({"year", "month", "day", "hour", "minute", "second"})
# Other functions of this form take one argument or more.
_ARITY = {"json_scalar": 1, "merge_action": 0, "nullif": 2}
_NORMAL_FORMS = frozenset({"nfc", "nfd", "nfkc", "nfkd"})
_TRIMS = {"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}


class Functions(Chapter):
    """Each takes the words of its syntax and keeps every operand."""

    __slots__ = ()

    def null(self) -> exp.Null:
        self.cursor.advance()
        return exp.Null()

    def boolean(self) -> exp.Boolean:
        value = self.cursor.at("true")
        self.cursor.advance()
        return exp.Boolean(this=value)

    def case(self) -> exp.Case:
        self.cursor.descend()
        self.cursor.advance()
        this = None if self.cursor.at("when") else self.grammar.expressions.a_expr()
        branches = []
        while self.cursor.accept("when"):
            condition = self.grammar.expressions.a_expr()
            self.cursor.expect("then")
            branches.append(exp.If(this=condition, true=self.grammar.expressions.a_expr()))
        if not branches:
            self.cursor.unexpected()
        default = self.grammar.expressions.a_expr() if self.cursor.accept("else") else None
        self.cursor.expect("end")
        self.cursor.ascend()
        return exp.Case(this=this, ifs=branches, default=default)

    def cast(self) -> exp.Cast:
        self.cursor.expect("cast")
        self.cursor.expect_kind("(")
        this = self.grammar.expressions.a_expr()
        self.cursor.expect("as")
        to = self.grammar.types.type_name()
        self.cursor.expect_kind(")")
        return exp.Cast(this=this, to=to, call=True)

    def exists(self) -> exp.Exists | None:
        if self.cursor.peek(1).kind != "(":
            return None
        self.cursor.advance()
        query = self.grammar.operands.in_parentheses()
        if not isinstance(query, exp.Subquery):
            self.cursor.unexpected()
        return exp.Exists(this=query)

    def array(self) -> exp.Array:
        """ARRAY [ ... ] or ARRAY ( query )"""
        self.cursor.advance()
        if self.cursor.at_kind("["):
            return self._array_elements()
        query = self.grammar.operands.in_parentheses()
        if not isinstance(query, exp.Subquery):
            self.cursor.unexpected()
        return exp.Array(expressions=[query])

    def _array_elements(self) -> exp.Array:
        self.cursor.descend()
        self.cursor.expect_kind("[")
        elements: list[exp.Expression] = []
        if self.cursor.at_kind("["):
            elements = [*self.cursor.comma_list(self._array_elements)]
        elif not self.cursor.at_kind("]"):
            elements = self.cursor.comma_list(self.grammar.expressions.a_expr)
        self.cursor.expect_kind("]")
        self.cursor.ascend()
        return exp.Array(expressions=elements)

    def row_operand(self) -> exp.Expression | None:
        return self.grammar.operands.row() if self.cursor.peek(1).kind == "(" else None

    def refused_call(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind == "(":
            self.cursor.refuse(f"{self.cursor.current.value.upper()} is not supported")
        return None

    def opened(self) -> tuple[str, int]:
        """Consume a function's keyword and its parenthesis; the keyword and where it stands."""
        token = self.cursor.current
        self.cursor.advance()
        self.cursor.expect_kind("(")
        return token.value, token.start

    def plain_call(self) -> exp.Expression | None:
        """NAME ( expression, ... )"""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.opened()
        arguments = [] if self.cursor.at_kind(")") else self.cursor.comma_list(self.grammar.expressions.a_expr)
        self.cursor.expect_kind(")")
        if len(arguments) != _ARITY.get(name, len(arguments) or 1):
            self.cursor.refuse(f"{name} takes another number of arguments", self.cursor.previous)
        return self.grammar.calls.syntax(name, arguments, start)

    def value_function(self) -> exp.Expression | None:
        """CURRENT_DATE and its like"""
        name, start = self.cursor.current.value, self.cursor.current.start
        if name == "current_schema" and self.cursor.peek(1).kind in ("(", "."):
            return None
        self.cursor.advance()
        operands = []
        if name in _WITH_PRECISION and self.cursor.accept_kind("("):
            operands.append(self.grammar.constants.integer())
            self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def collation_for(self) -> exp.Expression | None:
        if self.cursor.next_word() != "for":
            return None
        start = self.cursor.current.start
        self.cursor.expect("collation", "for")
        self.cursor.expect_kind("(")
        operand = self.grammar.expressions.a_expr()
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax("pg_collation_for", [operand], start)

    def extract(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.opened()
        self._expect_extract_field()
        field = self.grammar.constants.string() if self.cursor.at_kind("SCONST") else self.grammar.names.identifier()
        self.cursor.expect("from")
        operands = [field, self.grammar.expressions.a_expr()]
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _expect_extract_field(self) -> None:
        """extract_arg: a string, a field's keyword or a name that is no keyword"""
        word = self.cursor.word()
        is_field = (
            word in _FIELD_WORDS or word not in KEYWORDS if word else self.cursor.current.kind in ("QIDENT", "SCONST")
        )
        if not is_field:
            self.cursor.unexpected()

    def normalize(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.opened()
        operands = [self.grammar.expressions.a_expr()]
        if self.cursor.accept_kind(",") and not self.cursor.accept_any(_NORMAL_FORMS):
            self.cursor.unexpected()
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def overlay(self) -> exp.Expression | None:
        """OVERLAY(x PLACING y FROM n FOR m), or an ordinary call"""
        return self._clauses_or_call(self._overlay_clauses)

    def _overlay_clauses(self) -> list[exp.Expression]:
        """overlay_list, after its first expression"""
        if not self.cursor.accept("placing"):
            return []
        operands = [self.grammar.expressions.a_expr()]
        self.cursor.expect("from")
        operands.append(self.grammar.expressions.a_expr())
        return operands + ([self.grammar.expressions.a_expr()] if self.cursor.accept("for") else [])

    def substring(self) -> exp.Expression | None:
        """SUBSTRING(x FROM n FOR m), (x FOR m FROM n), (x SIMILAR y ESCAPE z), or an ordinary call"""
        return self._clauses_or_call(self._substring_clauses)

    def _substring_clauses(self) -> list[exp.Expression]:
        """substr_list, after its first expression"""
        if self.cursor.accept("similar"):
            pattern = self.grammar.expressions.a_expr()
            self.cursor.expect("escape")
            return [pattern, self.grammar.expressions.a_expr()]
        operands: list[exp.Expression] = []
        for words in (("from", "for"), ("for", "from")):
            if not operands and self.cursor.accept(words[0]):
                operands.append(self.grammar.expressions.a_expr())
                if self.cursor.accept(words[1]):
                    operands.append(self.grammar.expressions.a_expr())
        return operands

    def _clauses_or_call(self, parse_clauses: Callable[[], list[exp.Expression]]) -> exp.Expression | None:
        """A function with words between its arguments, which PostgreSQL also takes with commas."""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.opened()
        operands = [] if self.cursor.at_kind(")") else [self.grammar.calls.func_arg_expr()]
        clauses: list[exp.Expression] = []
        if operands and not isinstance(operands[0], exp.Kwarg):
            clauses = parse_clauses()
        while not clauses and self.cursor.accept_kind(","):
            operands.append(self.grammar.calls.func_arg_expr())
        self.cursor.expect_kind(")")
        call = self.grammar.calls.syntax(name, operands + clauses, start)
        call.set("syntax", bool(clauses))
        return call

    def position(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.opened()
        operands = [self.grammar.expressions.b_expr()]
        self.cursor.expect("in")
        operands.append(self.grammar.expressions.b_expr())
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def trim(self) -> exp.Expression | None:
        """TRIM([BOTH | LEADING | TRAILING] [x] [FROM] y)"""
        if self.cursor.peek(1).kind != "(":
            return None
        _, start = self.opened()
        name = _TRIMS.get(self.cursor.word() or "")
        if name is not None:
            self.cursor.advance()
        operands = [] if self.cursor.at("from") else [self.grammar.expressions.a_expr()]
        if self.cursor.accept("from") or self.cursor.accept_kind(","):
            operands += self.cursor.comma_list(self.grammar.expressions.a_expr)
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name or "btrim", operands, start)
