"""The functions of SQL/JSON, whose arguments are clauses (manual, "JSON Functions and Operators")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_BEHAVIOURS = frozenset({"default", "empty", "error", "false", "null", "true", "unknown"})


class Json(Chapter):
    """JSON_...; every operand stands in `expressions`."""

    __slots__ = ()

    def json_constructor(self) -> exp.Expression | None:
        """JSON ( value [FORMAT JSON] [WITH UNIQUE KEYS] )"""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands = [self._json_value_expr()]
        self.grammar.expressions.unique_keys()
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def json_scalar(self) -> exp.Expression | None:
        return self.grammar.functions.plain_call()

    def json_serialize(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands: list[Any] = [self._json_value_expr(), self._json_returning()]
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _json_value_expr(self) -> exp.Expression:
        """json_value_expr: a value and its format"""
        value = self.grammar.expressions.a_expr()
        self._json_format()
        return value

    def _json_format(self) -> bool:
        """json_format_clause_opt"""
        if not self.cursor.accept("format", "json"):
            return False
        if self.cursor.at("encoding"):
            self.cursor.refuse("ENCODING is not supported")
        return True

    def _json_returning(self) -> exp.DataType | None:
        """json_returning_clause_opt"""
        if not self.cursor.accept("returning"):
            return None
        data_type = self.grammar.types.type_name()
        self._json_format()
        return data_type

    def _json_nulls(self) -> None:
        """json_object_constructor_null_clause_opt"""
        if self.cursor.at("null", "on", "null") or self.cursor.at("absent", "on", "null"):
            self.cursor.advance(3)

    def json_object(self) -> exp.Expression | None:
        """JSON_OBJECT ( key : value, ... ), or as an ordinary call"""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        if self.cursor.peek(1).kind in (":=", "=>"):
            return self._ordinary_json_object(start, self.grammar.calls.func_arg_expr())
        key = None if self.cursor.at_kind(")") or self.cursor.at("returning") else self._json_key()
        if key is not None and not self._at_json_value():
            return self._ordinary_json_object(start, key)
        operands: list[Any] = [] if key is None else self._json_members(key)
        operands.append(self._json_returning())
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _ordinary_json_object(self, start: int, first: exp.Expression) -> exp.Anonymous:
        """The function json_object, which is older than the syntax, after its first argument"""
        arguments = [first]
        while self.cursor.accept_kind(","):
            arguments.append(self.grammar.calls.func_arg_expr())
        self.cursor.expect_kind(")")
        name = exp.Identifier(this="json_object", quoted=False, pos=start)
        return exp.Anonymous(this=name, expressions=arguments)

    def _json_key(self) -> exp.Expression:
        """What stands before `:` or VALUE: an a_expr, but before VALUE a c_expr."""
        self.cursor.descend()
        prefixed = self._at_prefix()
        key = self.grammar.expressions.operand(bare=False) if prefixed else self.grammar.operands.c_expr()
        if prefixed or not self.cursor.at("value"):
            key = self.grammar.operands.overlaps(key) if isinstance(key, exp.Tuple) else key
            key = self.grammar.expressions.operators(key, 0, bare=False)
            if self.cursor.at("value"):
                self.cursor.unexpected()
        self.cursor.ascend()
        return key

    def _at_prefix(self) -> bool:
        """Whether an operator comes next, so that no c_expr does."""
        return (
            self.cursor.at_kind("OP")
            or self.cursor.at("not")
            or (self.cursor.at("operator") and self.cursor.peek(1).kind == "(")
        )

    def _at_json_value(self) -> bool:
        return self.cursor.at_kind(":") or self.cursor.at("value")

    def _json_members(self, key: exp.Expression) -> list[Any]:
        """json_name_and_value_list and the clauses on nulls and keys, after the first key"""
        operands = [key, self._json_member_value()]
        while self.cursor.accept_kind(","):
            operands += [self._json_key(), self._json_member_value()]
        self._json_nulls()
        self.grammar.expressions.unique_keys()
        return operands

    def _json_member_value(self) -> exp.Expression:
        if not self.cursor.accept_kind(":"):
            self.cursor.expect("value")
        return self._json_value_expr()

    def json_objectagg(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands: list[Any] = [self._json_key(), self._json_member_value()]
        self._json_nulls()
        self.grammar.expressions.unique_keys()
        operands.append(self._json_returning())
        self.cursor.expect_kind(")")
        call = self.grammar.calls.syntax(name, operands, start)
        self.grammar.calls.aggregate_clauses(call)
        return call

    def json_array(self) -> exp.Expression | None:
        """JSON_ARRAY ( value, ... ) or ( query )"""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands: list[Any] = []
        if self.grammar.operands.begins_query(self.cursor.peek(0), self.cursor.peek(1)):
            operands.append(exp.Subquery(this=self.grammar.queries.select_stmt()))
            self._json_format()
        elif not self.cursor.at_kind(")") and not self.cursor.at("returning"):
            operands = [*self.cursor.comma_list(self._json_value_expr)]
            self._json_nulls()
        operands.append(self._json_returning())
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def json_arrayagg(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands: list[Any] = [self._json_value_expr()]
        if self.cursor.at("order"):
            operands.append(self.grammar.query_tails.sort_clause())
        self._json_nulls()
        operands.append(self._json_returning())
        self.cursor.expect_kind(")")
        call = self.grammar.calls.syntax(name, operands, start)
        self.grammar.calls.aggregate_clauses(call)
        return call

    def json_query_function(self) -> exp.Expression | None:
        """JSON_EXISTS, JSON_QUERY and JSON_VALUE"""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands: list[Any] = [self._json_value_expr()]
        self.cursor.expect_kind(",")
        operands.append(self.grammar.expressions.a_expr())
        operands += self._json_passing()
        if name != "json_exists":
            operands.append(self._json_returning())
        if name == "json_query":
            self._json_wrapper()
        operands += self._json_behaviours(on_empty=name != "json_exists")
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _json_passing(self) -> list[Any]:
        """PASSING value AS name, ..."""
        return self.cursor.comma_list(self._json_argument) if self.cursor.accept("passing") else []

    def _json_argument(self) -> exp.Alias:
        value = self._json_value_expr()
        self.cursor.expect("as")
        return exp.Alias(this=value, alias=self.grammar.names.col_label())

    def _json_wrapper(self) -> None:
        """json_wrapper_behavior and json_quotes_clause_opt"""
        if self.cursor.accept("without"):
            self.cursor.accept("array")
            self.cursor.expect("wrapper")
        elif self.cursor.at("with") and self.cursor.next_word() != "unique":
            self.cursor.advance()
            if not self.cursor.accept("conditional"):
                self.cursor.accept("unconditional")
            self.cursor.accept("array")
            self.cursor.expect("wrapper")
        if self.cursor.accept("keep") or self.cursor.accept("omit"):
            self.cursor.expect("quotes")
            self.cursor.accept("on", "scalar", "string")

    def _json_behaviours(self, on_empty: bool) -> list[Any]:
        """json_behavior_clause_opt, or json_on_error_clause_opt without `on_empty`"""
        operands: list[Any] = []
        if not self.cursor.at_any(_BEHAVIOURS):
            return operands
        self._json_behaviour(operands)
        if on_empty and self.cursor.accept("empty"):
            if not self.cursor.at_any(_BEHAVIOURS):
                return operands
            self._json_behaviour(operands)
        self.cursor.expect("error")
        return operands

    def _json_behaviour(self, operands: list[Any]) -> None:
        """json_behavior ON; the value of a DEFAULT is added to `operands`."""
        word = self.cursor.accept_any(_BEHAVIOURS)
        if word == "default":
            operands.append(self.grammar.expressions.a_expr())
        elif word == "empty" and not self.cursor.accept("array"):
            self.cursor.accept("object")
        self.cursor.expect("on")

    def json_table(self) -> exp.Anonymous:
        """JSON_TABLE ( value, path COLUMNS ( ... ) )"""
        name, start = self.grammar.functions.opened()
        operands: list[Any] = [self._json_value_expr()]
        self.cursor.expect_kind(",")
        operands.append(self.grammar.constants.string())
        if self.cursor.accept("as"):
            operands.append(self.grammar.names.col_id())
        operands += self._json_passing()
        operands += self._json_columns()
        operands += self._json_behaviours(on_empty=False)
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _json_columns(self) -> list[Any]:
        self.cursor.descend()
        self.cursor.expect("columns")
        self.cursor.expect_kind("(")
        columns = self.cursor.comma_list(self._json_column)
        self.cursor.expect_kind(")")
        self.cursor.ascend()
        return columns

    def _json_column(self) -> exp.Expression:
        if self.cursor.at("nested") and (self.cursor.next_word() == "path" or self.cursor.peek(1).kind == "SCONST"):
            return self._json_nested()
        column = exp.ColumnDef(this=self.grammar.names.col_id())
        if self.cursor.accept("for", "ordinality"):
            return column
        column.set("kind", self.grammar.types.type_name())
        exists = not self._json_format() and self.cursor.accept("exists")
        operands: list[Any] = [self.grammar.constants.string()] if self.cursor.accept("path") else []
        if not exists:
            self._json_wrapper()
        operands += self._json_behaviours(on_empty=not exists)
        column.set("constraints", operands)
        return column

    def _json_nested(self) -> exp.Tuple:
        self.cursor.advance()
        self.cursor.accept("path")
        operands: list[Any] = [self.grammar.constants.string()]
        if self.cursor.accept("as"):
            operands.append(self.grammar.names.col_id())
        return exp.Tuple(expressions=operands + self._json_columns())
