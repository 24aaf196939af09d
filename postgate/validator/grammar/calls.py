"""Calls of functions, and windows (gram.y, func_application and window_specification)."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.operators import OperatorGrammar

_FRAMES = frozenset({"range", "rows", "groups"})
_UNBOUNDED_PRECEDING, _PRECEDING, _CURRENT_ROW, _FOLLOWING, _UNBOUNDED_FOLLOWING = range(5)


class CallGrammar(OperatorGrammar):
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
