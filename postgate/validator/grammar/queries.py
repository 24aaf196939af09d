"""Queries (gram.y, SelectStmt; manual, "SELECT")."""

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_SET_LEVELS = {"union": 1, "except": 1, "intersect": 2}
_SET_NODES: dict[str, type[exp.SetOperation]] = {
    "union": exp.Union,
    "except": exp.Except,
    "intersect": exp.Intersect,
}
_CHAIN_LIMIT = 2_000
# After these words a SELECT has no output columns.
_NO_COLUMNS = frozenset(
    """
    into from where group having window union intersect except order limit offset fetch for returning on
    """.split()
)


class Queries(Chapter):
    """SELECT, VALUES and TABLE, alone and combined."""

    __slots__ = ()

    def select_stmt(self) -> exp.Expression:
        self.cursor.descend()
        with_ = self.with_clause() if self.cursor.at("with") else None
        query = self.select_rest(self.simple_select())
        if with_ is not None:
            query = self.attach_with(query, with_)
        self.cursor.ascend()
        return query

    def attach_with(self, query: exp.Expression, with_: exp.With) -> exp.Expression:
        self.grammar.query_tails.refuse_second(query, {"with_"})
        query.set("with_", with_)
        return query

    def select_rest(self, query: exp.Expression) -> exp.Expression:
        """Set operations, ORDER BY, LIMIT and row locks after a query."""
        return self.grammar.query_tails.query_tail(self._set_operations(query, 1))

    def _set_operations(self, left: exp.Expression, minimum: int) -> exp.Expression:
        links = 0
        while (word := self.cursor.word() or "") in _SET_LEVELS and _SET_LEVELS[word] >= minimum:
            links += 1
            if links > _CHAIN_LIMIT:
                self.cursor.refuse(f"more than {_CHAIN_LIMIT} queries are combined", reason="limit")
            self.cursor.advance()
            keep_all = self.cursor.accept("all")
            if not keep_all:
                self.cursor.accept("distinct")
            right = self._set_operations(self.simple_select(), _SET_LEVELS[word] + 1)
            left = _SET_NODES[word](this=left, expression=right, distinct=not keep_all)
        return left

    def simple_select(self) -> exp.Expression:
        """simple_select, or a query in parentheses"""
        if self.cursor.at_kind("("):
            query = self.grammar.operands.in_parentheses()
            if not isinstance(query, exp.Subquery):
                self.cursor.unexpected()
            return query
        if self.cursor.at("select"):
            return self._select()
        if self.cursor.at("values"):
            return self._values()
        if self.cursor.accept("table"):
            relation = self.grammar.from_items.relation_expr()
            return exp.Select(expressions=[exp.Star()], from_=exp.From(expressions=[relation]), table=True)
        self.cursor.unexpected()

    def _values(self) -> exp.Values:
        self.cursor.expect("values")
        return exp.Values(expressions=self.cursor.comma_list(self.values_row))

    def values_row(self) -> exp.Tuple:
        if self.cursor.at_kind("ROW"):
            self.cursor.advance()
            return exp.Tuple(pos=self.cursor.previous.start)
        self.cursor.expect_kind("(")
        items = self.cursor.comma_list(self.expr_or_default)
        self.cursor.expect_kind(")")
        return exp.Tuple(expressions=items)

    def expr_or_default(self) -> exp.Expression:
        """A value, or DEFAULT where PostgreSQL then allows it."""
        return (
            self.grammar.constants.keyword("DEFAULT")
            if self.cursor.accept("default")
            else self.grammar.expressions.a_expr()
        )

    def _select(self) -> exp.Select:
        self.cursor.expect("select")
        select = exp.Select(distinct=self._distinct(), expressions=self._target_list())
        if select.args["distinct"] is not None and not select.expressions:
            self.cursor.unexpected()
        if self.cursor.accept("into"):
            select.set("into", self._into())
        if self.cursor.accept("from"):
            select.set("from_", exp.From(expressions=self.cursor.comma_list(self.grammar.from_items.table_ref)))
        if self.cursor.accept("where"):
            select.set("where", exp.Where(this=self.grammar.expressions.a_expr()))
        if self.cursor.at("group"):
            select.set("group", self._group_clause())
        if self.cursor.accept("having"):
            select.set("having", exp.Having(this=self.grammar.expressions.a_expr()))
        if self.cursor.accept("window"):
            select.set("windows", self.cursor.comma_list(self._window_definition))
        return select

    def _distinct(self) -> exp.Distinct | None:
        if not self.cursor.accept("distinct"):
            self.cursor.accept("all")
            return None
        on = self.cursor.parenthesised_list(self.grammar.expressions.a_expr) if self.cursor.accept("on") else []
        return exp.Distinct(expressions=on)

    def _target_list(self) -> list[exp.Expression]:
        token = self.cursor.current
        if not token.kind or token.kind == ")" or (token.kind == "IDENT" and token.value in _NO_COLUMNS):
            return []
        return self.cursor.comma_list(self.target)

    def target(self) -> exp.Expression:
        """target_el"""
        if self.cursor.accept_op("*"):
            return exp.Star()
        value = self.grammar.expressions.a_expr()
        if self.cursor.accept("as"):
            return exp.Alias(this=value, alias=self.grammar.names.col_label())
        if self.grammar.names.at_bare_col_label():
            return exp.Alias(this=value, alias=self.grammar.names.bare_col_label())
        return value

    def _into(self) -> exp.Into:
        """OptTempTableName"""
        if (
            self.cursor.accept("local")
            or self.cursor.accept("global")
            or self.cursor.at("temp")
            or self.cursor.at("temporary")
        ):
            self.cursor.refuse(
                "temporary tables are not allowed: SELECT INTO TEMPORARY", self.cursor.previous, "statement_denied"
            )
        unlogged = self.cursor.accept("unlogged")
        self.cursor.accept("table")
        return exp.Into(this=self.grammar.names.qualified_name(), unlogged=unlogged)

    def _group_clause(self) -> exp.Group:
        self.cursor.expect("group", "by")
        if not self.cursor.accept("distinct"):
            self.cursor.accept("all")
        return exp.Group(expressions=self.cursor.comma_list(self._group_item))

    def _group_item(self) -> exp.Expression:
        """group_by_item"""
        if self.cursor.at_kind("(") and self.cursor.peek(1).kind == ")":
            self.cursor.advance(2)
            return exp.Tuple(expressions=[])
        if (self.cursor.at("cube") or self.cursor.at("rollup")) and self.cursor.peek(1).kind == "(":
            node = exp.Cube if self.cursor.at("cube") else exp.Rollup
            self.cursor.advance()
            return node(expressions=self.cursor.parenthesised_list(self.grammar.expressions.a_expr))
        if self.cursor.at("grouping", "sets"):
            self.cursor.descend()
            self.cursor.advance(2)
            sets = self.cursor.parenthesised_list(self._group_item)
            self.cursor.ascend()
            return exp.GroupingSets(expressions=sets)
        return self.grammar.expressions.a_expr()

    def _window_definition(self) -> exp.Window:
        name = self.grammar.names.col_id()
        self.cursor.expect("as")
        return exp.Window(this=name, spec=self.grammar.calls.window_specification())

    def with_clause(self) -> exp.With:
        self.cursor.expect("with")
        recursive = self.cursor.accept("recursive")
        return exp.With(recursive=recursive, expressions=self.cursor.comma_list(self._common_table_expr))

    def _common_table_expr(self) -> exp.CTE:
        name = self.grammar.names.col_id()
        columns = self.grammar.names.column_names() if self.cursor.at_kind("(") else []
        self.cursor.expect("as")
        copied = self.cursor.accept("not")
        if copied:
            self.cursor.expect("materialized")
        else:
            self.cursor.accept("materialized")
        self.cursor.expect_kind("(")
        self.cursor.descend()
        query = self.grammar.changes.preparable_stmt()
        self.cursor.ascend()
        self.cursor.expect_kind(")")
        alias = exp.TableAlias(this=name, columns=columns)
        return exp.CTE(this=query, alias=alias, copied=copied, search=self._search_clause(), cycle=self._cycle_clause())

    def _search_clause(self) -> list[exp.Expression]:
        """SEARCH DEPTH | BREADTH FIRST BY columns SET column"""
        if not self.cursor.accept("search"):
            return []
        if not self.cursor.accept("depth"):
            self.cursor.expect("breadth")
        self.cursor.expect("first", "by")
        columns: list[exp.Expression] = [*self.grammar.names.name_list()]
        self.cursor.expect("set")
        return [*columns, self.grammar.names.col_id()]

    def _constant(self) -> exp.Expression:
        """AexprConst"""
        node = self.grammar.operands.c_expr()
        if not (isinstance(node, exp.Literal | exp.Boolean | exp.Null) or node.args.get("typed")):
            self.cursor.refuse("a constant is expected", self.cursor.previous)
        return node

    def _cycle_clause(self) -> list[exp.Expression]:
        """CYCLE columns SET column [TO value DEFAULT value] USING column"""
        if not self.cursor.accept("cycle"):
            return []
        parts: list[exp.Expression] = [*self.grammar.names.name_list()]
        self.cursor.expect("set")
        parts.append(self.grammar.names.col_id())
        if self.cursor.accept("to"):
            parts.append(self._constant())
            self.cursor.expect("default")
            parts.append(self._constant())
        self.cursor.expect("using")
        return [*parts, self.grammar.names.col_id()]
