"""The functions of SQL/JSON, whose arguments are clauses (manual, "JSON Functions and Operators")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.functions import FunctionGrammar

_BEHAVIOURS = frozenset({"default", "empty", "error", "false", "null", "true", "unknown"})


class JsonGrammar(FunctionGrammar):
    """JSON_...; every operand stands in `expressions`."""

    def _json_constructor(self) -> exp.Expression | None:
        """JSON ( value [FORMAT JSON] [WITH UNIQUE KEYS] )"""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands = [self._json_value_expr()]
        self._unique_keys()
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _json_scalar(self) -> exp.Expression | None:
        return self._plain_call()

    def _json_serialize(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands: list[Any] = [self._json_value_expr(), self._json_returning()]
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _json_value_expr(self) -> exp.Expression:
        """json_value_expr: a value and its format"""
        value = self._a_expr()
        self._json_format()
        return value

    def _json_format(self) -> bool:
        """json_format_clause_opt"""
        if not self._accept("format", "json"):
            return False
        if self._at("encoding"):
            self._refuse("ENCODING is not supported")
        return True

    def _json_returning(self) -> exp.DataType | None:
        """json_returning_clause_opt"""
        if not self._accept("returning"):
            return None
        data_type = self._type_name()
        self._json_format()
        return data_type

    def _json_nulls(self) -> None:
        """json_object_constructor_null_clause_opt"""
        if self._at("null", "on", "null") or self._at("absent", "on", "null"):
            self._advance(3)

    def _json_object(self) -> exp.Expression | None:
        """JSON_OBJECT ( key : value, ... ), or as an ordinary call"""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        if self._peek(1).kind in (":=", "=>"):
            return self._ordinary_json_object(start, self._func_arg_expr())
        key = None if self._at_punct(")") or self._at("returning") else self._json_key()
        if key is not None and not self._at_json_value():
            return self._ordinary_json_object(start, key)
        operands: list[Any] = [] if key is None else self._json_members(key)
        operands.append(self._json_returning())
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _ordinary_json_object(self, start: int, first: exp.Expression) -> exp.Anonymous:
        """The function json_object, which is older than the syntax, after its first argument"""
        arguments = [first]
        while self._punct(","):
            arguments.append(self._func_arg_expr())
        self._expect_punct(")")
        name = exp.Identifier(this="json_object", quoted=False, pos=start)
        return exp.Anonymous(this=name, expressions=arguments)

    def _json_key(self) -> exp.Expression:
        """What stands before `:` or VALUE: an a_expr, but before VALUE a c_expr."""
        self._descend()
        prefixed = self._at_prefix()
        key = self._operand(bare=False) if prefixed else self._c_expr()
        if prefixed or not self._at("value"):
            key = self._overlaps(key) if isinstance(key, exp.Tuple) else key
            key = self._operators(key, 0, bare=False)
            if self._at("value"):
                self._unexpected()
        self._ascend()
        return key

    def _at_prefix(self) -> bool:
        """Whether an operator comes next, so that no c_expr does."""
        return self._at_punct("OP") or self._at("not") or (self._at("operator") and self._peek(1).kind == "(")

    def _at_json_value(self) -> bool:
        return self._at_punct(":") or self._at("value")

    def _json_members(self, key: exp.Expression) -> list[Any]:
        """json_name_and_value_list and the clauses on nulls and keys, after the first key"""
        operands = [key, self._json_member_value()]
        while self._punct(","):
            operands += [self._json_key(), self._json_member_value()]
        self._json_nulls()
        self._unique_keys()
        return operands

    def _json_member_value(self) -> exp.Expression:
        if not self._punct(":"):
            self._expect("value")
        return self._json_value_expr()

    def _json_objectagg(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands: list[Any] = [self._json_key(), self._json_member_value()]
        self._json_nulls()
        self._unique_keys()
        operands.append(self._json_returning())
        self._expect_punct(")")
        call = self._syntax(name, operands, start)
        self._aggregate_clauses(call)
        return call

    def _json_array(self) -> exp.Expression | None:
        """JSON_ARRAY ( value, ... ) or ( query )"""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands: list[Any] = []
        if self._begins_query(self._peek(0), self._peek(1)):
            operands.append(exp.Subquery(this=self._select_stmt()))
            self._json_format()
        elif not self._at_punct(")") and not self._at("returning"):
            operands = [*self._list(self._json_value_expr)]
            self._json_nulls()
        operands.append(self._json_returning())
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _json_arrayagg(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands: list[Any] = [self._json_value_expr()]
        if self._at("order"):
            operands.append(self._sort_clause())
        self._json_nulls()
        operands.append(self._json_returning())
        self._expect_punct(")")
        call = self._syntax(name, operands, start)
        self._aggregate_clauses(call)
        return call

    def _json_query_function(self) -> exp.Expression | None:
        """JSON_EXISTS, JSON_QUERY and JSON_VALUE"""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands: list[Any] = [self._json_value_expr()]
        self._expect_punct(",")
        operands.append(self._a_expr())
        operands += self._json_passing()
        if name != "json_exists":
            operands.append(self._json_returning())
        if name == "json_query":
            self._json_wrapper()
        operands += self._json_behaviours(on_empty=name != "json_exists")
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _json_passing(self) -> list[Any]:
        """PASSING value AS name, ..."""
        return self._list(self._json_argument) if self._accept("passing") else []

    def _json_argument(self) -> exp.Alias:
        value = self._json_value_expr()
        self._expect("as")
        return exp.Alias(this=value, alias=self._col_label())

    def _json_wrapper(self) -> None:
        """json_wrapper_behavior and json_quotes_clause_opt"""
        if self._accept("without"):
            self._accept("array")
            self._expect("wrapper")
        elif self._at("with") and self._next_word() != "unique":
            self._advance()
            if not self._accept("conditional"):
                self._accept("unconditional")
            self._accept("array")
            self._expect("wrapper")
        if self._accept("keep") or self._accept("omit"):
            self._expect("quotes")
            self._accept("on", "scalar", "string")

    def _json_behaviours(self, on_empty: bool) -> list[Any]:
        """json_behavior_clause_opt, or json_on_error_clause_opt without `on_empty`"""
        operands: list[Any] = []
        if not self._at_any(_BEHAVIOURS):
            return operands
        self._json_behaviour(operands)
        if on_empty and self._accept("empty"):
            if not self._at_any(_BEHAVIOURS):
                return operands
            self._json_behaviour(operands)
        self._expect("error")
        return operands

    def _json_behaviour(self, operands: list[Any]) -> None:
        """json_behavior ON; the value of a DEFAULT is added to `operands`."""
        word = self._accept_any(_BEHAVIOURS)
        if word == "default":
            operands.append(self._a_expr())
        elif word == "empty" and not self._accept("array"):
            self._accept("object")
        self._expect("on")

    def _json_table(self) -> exp.Anonymous:
        """JSON_TABLE ( value, path COLUMNS ( ... ) )"""
        name, start = self._opened()
        operands: list[Any] = [self._json_value_expr()]
        self._expect_punct(",")
        operands.append(self._string())
        if self._accept("as"):
            operands.append(self._col_id())
        operands += self._json_passing()
        operands += self._json_columns()
        operands += self._json_behaviours(on_empty=False)
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _json_columns(self) -> list[Any]:
        self._descend()
        self._expect("columns")
        self._expect_punct("(")
        columns = self._list(self._json_column)
        self._expect_punct(")")
        self._ascend()
        return columns

    def _json_column(self) -> exp.Expression:
        if self._at("nested") and (self._next_word() == "path" or self._peek(1).kind == "SCONST"):
            return self._json_nested()
        column = exp.ColumnDef(this=self._col_id())
        if self._accept("for", "ordinality"):
            return column
        column.set("kind", self._type_name())
        exists = not self._json_format() and self._accept("exists")
        operands: list[Any] = [self._string()] if self._accept("path") else []
        if not exists:
            self._json_wrapper()
        operands += self._json_behaviours(on_empty=not exists)
        column.set("constraints", operands)
        return column

    def _json_nested(self) -> exp.Tuple:
        self._advance()
        self._accept("path")
        operands: list[Any] = [self._string()]
        if self._accept("as"):
            operands.append(self._col_id())
        return exp.Tuple(expressions=operands + self._json_columns())
