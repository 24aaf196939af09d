"""Calls of functions, and windows (gram.y, func_application and window_specification)."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_FRAMES = frozenset({"range", "rows", "groups"})
_UNBOUNDED_PRECEDING, _PRECEDING, _CURRENT_ROW, _FOLLOWING, _UNBOUNDED_FOLLOWING = range(5)


class Calls(Chapter):
    """A call is always exp.Anonymous with its own name and all of its arguments."""

    __slots__ = ()

    def func_call(self) -> exp.Expression:
        """func_expr_windowless: a call as it stands in FROM, an index or a partition key."""
        node = self.grammar.operands.c_expr()
        call = node.expression if isinstance(node, exp.Dot) else node
        if not isinstance(call, exp.Anonymous | exp.Cast) or call.args.get("typed"):
            self.cursor.unexpected()
        if any(call.args.get(part) is not None for part in ("over", "filter", "within_group")):
            self.cursor.refuse("a window or aggregate clause is not allowed here", self.cursor.previous)
        if isinstance(call, exp.Anonymous) and call.args.get("syntax") and call.name == "grouping":
            self.cursor.refuse("GROUPING is not allowed here", self.cursor.previous)
        return node

    def syntax(self, name: str, operands: list[Any], start: int | None = None) -> exp.Anonymous:
        """A function with a syntax of its own."""
        this = exp.Identifier(this=name, quoted=False, pos=start)
        return exp.Anonymous(this=this, expressions=[node for node in operands if node is not None], syntax=True)

    def called_or_typed(self, parts: list[Any]) -> exp.Expression:
        if self.cursor.at_kind("SCONST"):
            return exp.Cast(
                this=self.grammar.constants.string(),
                to=self.grammar.types.data_type(self.grammar.types.type_kind(parts)),
                typed=True,
            )
        if len(parts) > 2:
            self.cursor.refuse("a function may not be qualified with a database", self.cursor.previous)
        call = exp.Anonymous(this=parts[-1])
        self._arguments(call)
        if self.cursor.at_kind("SCONST") and self._are_modifiers(call):
            data_type = self.grammar.types.data_type(self.grammar.types.type_kind(parts), call.expressions)
            return exp.Cast(this=self.grammar.constants.string(), to=data_type, typed=True)
        self.aggregate_clauses(call)
        return call if len(parts) == 1 else exp.Dot(this=parts[0], expression=call)

    def _are_modifiers(self, call: exp.Anonymous) -> bool:
        """Whether the arguments could be the modifiers of a type."""
        plain = not any(isinstance(argument, exp.Kwarg | exp.Star) for argument in call.expressions)
        return bool(call.expressions) and plain and not {"all", "distinct", "variadic", "order"} & call.args.keys()

    def _arguments(self, call: exp.Anonymous) -> None:
        """func_application, from its parenthesis."""
        self.cursor.descend()
        self.cursor.expect_kind("(")
        if self.cursor.accept_op("*"):
            call.set("starred", True)
            call.set("expressions", [exp.Star()])
        elif self.cursor.at_kind(")"):
            call.set("expressions", [])
        else:
            self._argument_list(call)
        self.cursor.expect_kind(")")
        self.cursor.ascend()

    def _argument_list(self, call: exp.Anonymous) -> None:
        if self.cursor.accept("distinct"):
            call.set("distinct", True)
        elif self.cursor.accept("all"):
            call.set("all", True)
        arguments = [self._argument(call)]
        while self.cursor.accept_kind(","):
            if call.args.get("variadic"):
                self.cursor.refuse("VARIADIC is only for the last argument", self.cursor.previous)
            arguments.append(self._argument(call))
        call.set("expressions", arguments)
        if self.cursor.at("order"):
            call.set("order", self.grammar.query_tails.sort_clause())

    def _argument(self, call: exp.Anonymous) -> exp.Expression:
        """func_arg_expr, with VARIADIC before it"""
        if not call.args.get("distinct") and not call.args.get("all") and self.cursor.accept("variadic"):
            call.set("variadic", True)
        return self.func_arg_expr()

    def func_arg_expr(self) -> exp.Expression:
        """func_arg_expr"""
        if self.grammar.names.at_type_function_name() and self.cursor.peek(1).kind in (":=", "=>"):
            name = self.grammar.names.type_function_name()
            self.cursor.advance()
            return exp.Kwarg(this=name, expression=self.grammar.expressions.a_expr())
        return self.grammar.expressions.a_expr()

    def aggregate_clauses(self, call: exp.Anonymous) -> None:
        """WITHIN GROUP, FILTER and OVER"""
        if self.cursor.accept("within", "group"):
            for part in ("distinct", "variadic", "order"):
                if call.args.get(part):
                    self.cursor.refuse(f"{part.upper()} does not go together with WITHIN GROUP", self.cursor.previous)
            self.cursor.expect_kind("(")
            call.set("within_group", self.grammar.query_tails.sort_clause())
            self.cursor.expect_kind(")")
        if self.cursor.accept("filter"):
            self.cursor.expect_kind("(")
            self.cursor.expect("where")
            call.set("filter", self.grammar.expressions.a_expr())
            self.cursor.expect_kind(")")
        if self.cursor.accept("over"):
            over = self.window_specification() if self.cursor.at_kind("(") else self.grammar.names.col_id()
            call.set("over", over)

    def window_specification(self) -> exp.WindowSpec:
        """window_specification"""
        self.cursor.expect_kind("(")
        based_on = None
        if self.grammar.names.at_col_id() and not self.cursor.at("partition") and not self.cursor.at_any(_FRAMES):
            based_on = self.grammar.names.col_id()
        partition = (
            self.cursor.comma_list(self.grammar.expressions.a_expr) if self.cursor.accept("partition", "by") else []
        )
        order = self.grammar.query_tails.sort_clause() if self.cursor.at("order") else None
        frame = self._frame() if self.cursor.at_any(_FRAMES) else []
        self.cursor.expect_kind(")")
        return exp.WindowSpec(this=based_on, expressions=partition, order=order, bounds=frame)

    def _frame(self) -> list[exp.Expression]:
        """opt_frame_clause"""
        self.cursor.advance()
        bounds: list[exp.Expression] = []
        if self.cursor.accept("between"):
            start = self._frame_bound(bounds)
            self.cursor.expect("and")
            end = self._frame_bound(bounds)
        else:
            start, end = self._frame_bound(bounds), _CURRENT_ROW
        if start == _UNBOUNDED_FOLLOWING or end == _UNBOUNDED_PRECEDING or start > max(end, _PRECEDING):
            self.cursor.refuse("a frame cannot start and end there", self.cursor.previous)
        if self.cursor.accept("exclude") and not (
            self.cursor.accept("current", "row") or self.cursor.accept("group") or self.cursor.accept("ties")
        ):
            self.cursor.expect("no", "others")
        return bounds

    def _frame_bound(self, bounds: list[exp.Expression]) -> int:
        """frame_bound: its place in the order of bounds; its offset is added to `bounds`."""
        if self.cursor.accept("current", "row"):
            return _CURRENT_ROW
        if self.cursor.accept("unbounded", "preceding"):
            return _UNBOUNDED_PRECEDING
        if self.cursor.accept("unbounded", "following"):
            return _UNBOUNDED_FOLLOWING
        bounds.append(self.grammar.expressions.a_expr())
        if self.cursor.accept("preceding"):
            return _PRECEDING
        self.cursor.expect("following")
        return _FOLLOWING
