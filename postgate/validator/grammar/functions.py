"""Operands that begin with a keyword, and functions with a syntax of their own (gram.y, func_expr_common_subexpr)."""

from collections.abc import Callable

from sqlglot import exp

from postgate.validator.grammar.calls import CallGrammar
from postgate.validator.lists.keywords import KEYWORDS

_WITH_PRECISION = frozenset({"current_time", "current_timestamp", "localtime", "localtimestamp"})
_FIELD_WORDS = frozenset({"year", "month", "day", "hour", "minute", "second"})
# Other functions of this form take one argument or more.
_ARITY = {"json_scalar": 1, "merge_action": 0, "nullif": 2}
_NORMAL_FORMS = frozenset({"nfc", "nfd", "nfkc", "nfkd"})
_TRIMS = {"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}


class FunctionGrammar(CallGrammar):
    """Each takes the words of its syntax and keeps every operand."""

    def _null(self) -> exp.Null:
        self._advance()
        return exp.Null()

    def _boolean(self) -> exp.Boolean:
        value = self._at("true")
        self._advance()
        return exp.Boolean(this=value)

    def _case(self) -> exp.Case:
        self._descend()
        self._advance()
        this = None if self._at("when") else self._a_expr()
        branches = []
        while self._accept("when"):
            condition = self._a_expr()
            self._expect("then")
            branches.append(exp.If(this=condition, true=self._a_expr()))
        if not branches:
            self._unexpected()
        default = self._a_expr() if self._accept("else") else None
        self._expect("end")
        self._ascend()
        return exp.Case(this=this, ifs=branches, default=default)

    def _cast(self) -> exp.Cast:
        self._expect("cast")
        self._expect_punct("(")
        this = self._a_expr()
        self._expect("as")
        to = self._type_name()
        self._expect_punct(")")
        return exp.Cast(this=this, to=to, call=True)

    def _exists(self) -> exp.Exists | None:
        if self._peek(1).kind != "(":
            return None
        self._advance()
        query = self._in_parentheses()
        if not isinstance(query, exp.Subquery):
            self._unexpected()
        return exp.Exists(this=query)

    def _array(self) -> exp.Array:
        """ARRAY [ ... ] or ARRAY ( query )"""
        self._advance()
        if self._at_punct("["):
            return self._array_elements()
        query = self._in_parentheses()
        if not isinstance(query, exp.Subquery):
            self._unexpected()
        return exp.Array(expressions=[query])

    def _array_elements(self) -> exp.Array:
        self._descend()
        self._expect_punct("[")
        elements: list[exp.Expression] = []
        if self._at_punct("["):
            elements = [*self._list(self._array_elements)]
        elif not self._at_punct("]"):
            elements = self._list(self._a_expr)
        self._expect_punct("]")
        self._ascend()
        return exp.Array(expressions=elements)

    def _row_operand(self) -> exp.Expression | None:
        return self._row() if self._peek(1).kind == "(" else None

    def _refused_call(self) -> exp.Expression | None:
        if self._peek(1).kind == "(":
            self._refuse(f"{self._curr.value.upper()} is not supported")
        return None

    def _opened(self) -> tuple[str, int]:
        """Consume a function's keyword and its parenthesis; the keyword and where it stands."""
        token = self._curr
        self._advance()
        self._expect_punct("(")
        return token.value, token.start

    def _plain_call(self) -> exp.Expression | None:
        """NAME ( expression, ... )"""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        arguments = [] if self._at_punct(")") else self._list(self._a_expr)
        self._expect_punct(")")
        if len(arguments) != _ARITY.get(name, len(arguments) or 1):
            self._refuse(f"{name} takes another number of arguments", self._prev)
        return self._syntax(name, arguments, start)

    def _value_function(self) -> exp.Expression | None:
        """CURRENT_DATE and its like"""
        name, start = self._curr.value, self._curr.start
        if name == "current_schema" and self._peek(1).kind in ("(", "."):
            return None
        self._advance()
        operands = []
        if name in _WITH_PRECISION and self._punct("("):
            operands.append(self._integer())
            self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _collation_for(self) -> exp.Expression | None:
        if self._next_word() != "for":
            return None
        start = self._curr.start
        self._expect("collation", "for")
        self._expect_punct("(")
        operand = self._a_expr()
        self._expect_punct(")")
        return self._syntax("pg_collation_for", [operand], start)

    def _extract(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        self._expect_extract_field()
        field = self._string() if self._at_punct("SCONST") else self._identifier()
        self._expect("from")
        operands = [field, self._a_expr()]
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _expect_extract_field(self) -> None:
        """extract_arg: a string, a field's keyword or a name that is no keyword"""
        word = self._word()
        known = word in _FIELD_WORDS or word not in KEYWORDS if word else self._kind() in ("QIDENT", "SCONST")
        if not known:
            self._unexpected()

    def _normalize(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands = [self._a_expr()]
        if self._punct(",") and not self._accept_any(_NORMAL_FORMS):
            self._unexpected()
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _overlay(self) -> exp.Expression | None:
        """OVERLAY(x PLACING y FROM n FOR m), or an ordinary call"""
        return self._clauses_or_call(self._overlay_clauses)

    def _overlay_clauses(self) -> list[exp.Expression]:
        """overlay_list, after its first expression"""
        if not self._accept("placing"):
            return []
        operands = [self._a_expr()]
        self._expect("from")
        operands.append(self._a_expr())
        return operands + ([self._a_expr()] if self._accept("for") else [])

    def _substring(self) -> exp.Expression | None:
        """SUBSTRING(x FROM n FOR m), (x FOR m FROM n), (x SIMILAR y ESCAPE z), or an ordinary call"""
        return self._clauses_or_call(self._substring_clauses)

    def _substring_clauses(self) -> list[exp.Expression]:
        """substr_list, after its first expression"""
        if self._accept("similar"):
            pattern = self._a_expr()
            self._expect("escape")
            return [pattern, self._a_expr()]
        operands: list[exp.Expression] = []
        for words in (("from", "for"), ("for", "from")):
            if not operands and self._accept(words[0]):
                operands.append(self._a_expr())
                if self._accept(words[1]):
                    operands.append(self._a_expr())
        return operands

    def _clauses_or_call(self, parse_clauses: Callable[[], list[exp.Expression]]) -> exp.Expression | None:
        """A function with words between its arguments, which PostgreSQL also takes with commas."""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands = [] if self._at_punct(")") else [self._func_arg_expr()]
        clauses: list[exp.Expression] = []
        if operands and not isinstance(operands[0], exp.Kwarg):
            clauses = parse_clauses()
        while not clauses and self._punct(","):
            operands.append(self._func_arg_expr())
        self._expect_punct(")")
        call = self._syntax(name, operands + clauses, start)
        call.set("syntax", bool(clauses))
        return call

    def _position(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands = [self._b_expr()]
        self._expect("in")
        operands.append(self._b_expr())
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _trim(self) -> exp.Expression | None:
        """TRIM([BOTH | LEADING | TRAILING] [x] [FROM] y)"""
        if self._peek(1).kind != "(":
            return None
        _, start = self._opened()
        name = _TRIMS.get(self._word() or "")
        if name is not None:
            self._advance()
        operands = [] if self._at("from") else [self._a_expr()]
        if self._accept("from") or self._punct(","):
            operands += self._list(self._a_expr)
        self._expect_punct(")")
        return self._syntax(name or "btrim", operands, start)
