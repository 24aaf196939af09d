"""Calls, and operands that begin with a keyword of their own (gram.y, func_expr and c_expr)."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from postgate.validator.grammar.expressions import ExpressionGrammar
from postgate.validator.keywords import KEYWORDS

_FRAMES = frozenset({"range", "rows", "groups"})
_UNBOUNDED_PRECEDING, _PRECEDING, _CURRENT_ROW, _FOLLOWING, _UNBOUNDED_FOLLOWING = range(5)
_WITH_PRECISION = frozenset({"current_time", "current_timestamp", "localtime", "localtimestamp"})
_FIELD_WORDS = frozenset({"year", "month", "day", "hour", "minute", "second"})
# Other functions of this form take one argument or more.
_ARITY = {"json_scalar": 1, "merge_action": 0, "nullif": 2}
_NORMAL_FORMS = frozenset({"nfc", "nfd", "nfkc", "nfkd"})
_TRIMS = {"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}


class FunctionGrammar(ExpressionGrammar):
    """A call is always exp.Anonymous with its own name and all of its arguments."""

    def _func_call(self) -> exp.Expression:
        """func_expr_windowless: a call as it stands in FROM, an index or a partition key."""
        node = self._c_expr()
        call = node.expression if isinstance(node, exp.Dot) else node
        if not isinstance(call, exp.Anonymous | exp.Cast) or call.args.get("typed"):
            self._unexpected()
        if any(call.args.get(part) is not None for part in ("over", "filter", "within_group")):
            self._refuse("a window or aggregate clause is not allowed here", self._prev)
        if isinstance(call, exp.Anonymous) and call.args.get("syntax") and call.name == "grouping":
            self._refuse("GROUPING is not allowed here", self._prev)
        return node

    def _syntax(self, name: str, operands: list[Any], start: int | None = None) -> exp.Anonymous:
        """A function with a syntax of its own."""
        this = exp.Identifier(this=name, quoted=False, pos=start)
        return exp.Anonymous(this=this, expressions=[node for node in operands if node is not None], syntax=True)

    def _called_or_typed(self, parts: list[Any]) -> exp.Expression:
        if self._at_punct("SCONST"):
            return exp.Cast(this=self._string(), to=self._data_type(self._type_kind(parts)), typed=True)
        if len(parts) > 2:
            self._refuse("a function may not be qualified with a database", self._prev)
        call = exp.Anonymous(this=parts[-1])
        self._arguments(call)
        if self._at_punct("SCONST") and self._are_modifiers(call):
            data_type = self._data_type(self._type_kind(parts), call.expressions)
            return exp.Cast(this=self._string(), to=data_type, typed=True)
        self._aggregate_clauses(call)
        return call if len(parts) == 1 else exp.Dot(this=parts[0], expression=call)

    def _are_modifiers(self, call: exp.Anonymous) -> bool:
        """Whether the arguments could be the modifiers of a type."""
        plain = not any(isinstance(argument, exp.Kwarg | exp.Star) for argument in call.expressions)
        return bool(call.expressions) and plain and not {"all", "distinct", "variadic", "order"} & call.args.keys()

    def _arguments(self, call: exp.Anonymous) -> None:
        """func_application, from its parenthesis."""
        self._descend()
        self._expect_punct("(")
        if self._accept_op("*"):
            call.set("starred", True)
            call.set("expressions", [exp.Star()])
        elif self._at_punct(")"):
            call.set("expressions", [])
        else:
            self._argument_list(call)
        self._expect_punct(")")
        self._ascend()

    def _argument_list(self, call: exp.Anonymous) -> None:
        if self._accept("distinct"):
            call.set("distinct", True)
        elif self._accept("all"):
            call.set("all", True)
        arguments = [self._argument(call)]
        while self._punct(","):
            if call.args.get("variadic"):
                self._refuse("VARIADIC is only for the last argument", self._prev)
            arguments.append(self._argument(call))
        call.set("expressions", arguments)
        if self._at("order"):
            call.set("order", self._sort_clause())

    def _argument(self, call: exp.Anonymous) -> exp.Expression:
        """func_arg_expr, with VARIADIC before it"""
        if not call.args.get("distinct") and not call.args.get("all") and self._accept("variadic"):
            call.set("variadic", True)
        return self._func_arg_expr()

    def _func_arg_expr(self) -> exp.Expression:
        """func_arg_expr"""
        if self._at_type_function_name() and self._peek(1).kind in (":=", "=>"):
            name = self._type_function_name()
            self._advance()
            return exp.Kwarg(this=name, expression=self._a_expr())
        return self._a_expr()

    def _aggregate_clauses(self, call: exp.Anonymous) -> None:
        """WITHIN GROUP, FILTER and OVER"""
        if self._accept("within", "group"):
            for part in ("distinct", "variadic", "order"):
                if call.args.get(part):
                    self._refuse(f"{part.upper()} does not go together with WITHIN GROUP", self._prev)
            self._expect_punct("(")
            call.set("within_group", self._sort_clause())
            self._expect_punct(")")
        if self._accept("filter"):
            self._expect_punct("(")
            self._expect("where")
            call.set("filter", self._a_expr())
            self._expect_punct(")")
        if self._accept("over"):
            over = self._window_specification() if self._at_punct("(") else self._col_id()
            call.set("over", over)

    def _window_specification(self) -> exp.WindowSpec:
        """window_specification"""
        self._expect_punct("(")
        based_on = None
        if self._at_col_id() and not self._at("partition") and not self._at_any(_FRAMES):
            based_on = self._col_id()
        partition = self._list(self._a_expr) if self._accept("partition", "by") else []
        order = self._sort_clause() if self._at("order") else None
        frame = self._frame() if self._at_any(_FRAMES) else []
        self._expect_punct(")")
        return exp.WindowSpec(this=based_on, expressions=partition, order=order, bounds=frame)

    def _frame(self) -> list[exp.Expression]:
        """opt_frame_clause"""
        self._advance()
        bounds: list[exp.Expression] = []
        if self._accept("between"):
            start = self._frame_bound(bounds)
            self._expect("and")
            end = self._frame_bound(bounds)
        else:
            start, end = self._frame_bound(bounds), _CURRENT_ROW
        if start == _UNBOUNDED_FOLLOWING or end == _UNBOUNDED_PRECEDING or start > max(end, _PRECEDING):
            self._refuse("a frame cannot start and end there", self._prev)
        if self._accept("exclude") and not (
            self._accept("current", "row") or self._accept("group") or self._accept("ties")
        ):
            self._expect("no", "others")
        return bounds

    def _frame_bound(self, bounds: list[exp.Expression]) -> int:
        """frame_bound: its place in the order of bounds; its offset is added to `bounds`."""
        if self._accept("current", "row"):
            return _CURRENT_ROW
        if self._accept("unbounded", "preceding"):
            return _UNBOUNDED_PRECEDING
        if self._accept("unbounded", "following"):
            return _UNBOUNDED_FOLLOWING
        bounds.append(self._a_expr())
        if self._accept("preceding"):
            return _PRECEDING
        self._expect("following")
        return _FOLLOWING

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
        operands = self._parenthesised_list(self._a_expr)
        return self._syntax("pg_collation_for", operands, start)

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
