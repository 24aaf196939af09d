"""Queries (gram.y, SelectStmt; manual, "SELECT")."""

from sqlglot import exp

from postgate.validator.grammar.limits import LimitGrammar

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


class SelectGrammar(LimitGrammar):
    """SELECT, VALUES and TABLE, alone and combined."""

    def _select_stmt(self) -> exp.Expression:
        self._descend()
        with_ = self._with_clause() if self._at("with") else None
        query = self._select_rest(self._simple_select())
        if with_ is not None:
            query = self._attach_with(query, with_)
        self._ascend()
        return query

    def _attach_with(self, query: exp.Expression, with_: exp.With) -> exp.Expression:
        self._refuse_second(query, {"with_"})
        query.set("with_", with_)
        return query

    def _select_rest(self, query: exp.Expression) -> exp.Expression:
        """Set operations, ORDER BY, LIMIT and row locks after a query."""
        return self._query_tail(self._set_operations(query, 1))

    def _set_operations(self, left: exp.Expression, minimum: int) -> exp.Expression:
        links = 0
        while (word := self._word() or "") in _SET_LEVELS and _SET_LEVELS[word] >= minimum:
            links += 1
            if links > _CHAIN_LIMIT:
                self._refuse(f"more than {_CHAIN_LIMIT} queries are combined")
            self._advance()
            keep_all = self._accept("all")
            if not keep_all:
                self._accept("distinct")
            right = self._set_operations(self._simple_select(), _SET_LEVELS[word] + 1)
            left = _SET_NODES[word](this=left, expression=right, distinct=not keep_all)
        return left

    def _simple_select(self) -> exp.Expression:
        """simple_select, or a query in parentheses"""
        if self._at_punct("("):
            query = self._in_parentheses()
            if not isinstance(query, exp.Subquery):
                self._unexpected()
            return query
        if self._at("select"):
            return self._select()
        if self._at("values"):
            return self._values()
        if self._accept("table"):
            relation = self._relation_expr()
            return exp.Select(expressions=[exp.Star()], from_=exp.From(expressions=[relation]), table=True)
        self._unexpected()

    def _values(self) -> exp.Values:
        self._expect("values")
        return exp.Values(expressions=self._list(self._values_row))

    def _values_row(self) -> exp.Tuple:
        self._expect_punct("(")
        items = self._list(self._expr_or_default)
        self._expect_punct(")")
        return exp.Tuple(expressions=items)

    def _expr_or_default(self) -> exp.Expression:
        """A value, or DEFAULT where PostgreSQL then allows it."""
        return self._keyword_node("DEFAULT") if self._accept("default") else self._a_expr()

    def _select(self) -> exp.Select:
        self._expect("select")
        select = exp.Select(distinct=self._distinct(), expressions=self._target_list())
        if select.args["distinct"] is not None and not select.expressions:
            self._unexpected()
        if self._accept("into"):
            select.set("into", self._into())
        if self._accept("from"):
            select.set("from_", exp.From(expressions=self._list(self._table_ref)))
        if self._accept("where"):
            select.set("where", exp.Where(this=self._a_expr()))
        if self._at("group"):
            select.set("group", self._group_clause())
        if self._accept("having"):
            select.set("having", exp.Having(this=self._a_expr()))
        if self._accept("window"):
            select.set("windows", self._list(self._window_definition))
        return select

    def _distinct(self) -> exp.Distinct | None:
        if not self._accept("distinct"):
            self._accept("all")
            return None
        on = self._parenthesised_list(self._a_expr) if self._accept("on") else []
        return exp.Distinct(expressions=on)

    def _target_list(self) -> list[exp.Expression]:
        token = self._curr
        if not token or token.kind == ")" or (token.kind == "IDENT" and token.value in _NO_COLUMNS):
            return []
        return self._list(self._target)

    def _target(self) -> exp.Expression:
        """target_el"""
        if self._accept_op("*"):
            return exp.Star()
        value = self._a_expr()
        if self._accept("as"):
            return exp.Alias(this=value, alias=self._col_label())
        if self._at_bare_col_label():
            return exp.Alias(this=value, alias=self._bare_col_label())
        return value

    def _into(self) -> exp.Into:
        """OptTempTableName"""
        if self._accept("local") or self._accept("global") or self._at("temp") or self._at("temporary"):
            self._refuse("temporary tables are not allowed: SELECT INTO TEMPORARY", self._prev)
        unlogged = self._accept("unlogged")
        self._accept("table")
        return exp.Into(this=self._qualified_name(), unlogged=unlogged)

    def _group_clause(self) -> exp.Group:
        self._expect("group", "by")
        if not self._accept("distinct"):
            self._accept("all")
        return exp.Group(expressions=self._list(self._group_item))

    def _group_item(self) -> exp.Expression:
        """group_by_item"""
        if self._at_punct("(") and self._peek(1).kind == ")":
            self._advance(2)
            return exp.Tuple(expressions=[])
        if (self._at("cube") or self._at("rollup")) and self._peek(1).kind == "(":
            node = exp.Cube if self._at("cube") else exp.Rollup
            self._advance()
            return node(expressions=self._parenthesised_list(self._a_expr))
        if self._at("grouping", "sets"):
            self._descend()
            self._advance(2)
            sets = self._parenthesised_list(self._group_item)
            self._ascend()
            return exp.GroupingSets(expressions=sets)
        return self._a_expr()

    def _window_definition(self) -> exp.Window:
        name = self._col_id()
        self._expect("as")
        return exp.Window(this=name, spec=self._window_specification())

    def _with_clause(self) -> exp.With:
        self._expect("with")
        recursive = self._accept("recursive")
        return exp.With(recursive=recursive, expressions=self._list(self._common_table_expr))

    def _common_table_expr(self) -> exp.CTE:
        name = self._col_id()
        columns = self._column_names() if self._at_punct("(") else []
        self._expect("as")
        if self._accept("not"):
            self._expect("materialized")
        else:
            self._accept("materialized")
        self._expect_punct("(")
        self._descend()
        query = self._preparable_stmt()
        self._ascend()
        self._expect_punct(")")
        alias = exp.TableAlias(this=name, columns=columns)
        return exp.CTE(this=query, alias=alias, search=self._search_clause(), cycle=self._cycle_clause())

    def _search_clause(self) -> list[exp.Expression]:
        """SEARCH DEPTH | BREADTH FIRST BY columns SET column"""
        if not self._accept("search"):
            return []
        if not self._accept("depth"):
            self._expect("breadth")
        self._expect("first", "by")
        columns: list[exp.Expression] = [*self._name_list()]
        self._expect("set")
        return [*columns, self._col_id()]

    def _constant(self) -> exp.Expression:
        """AexprConst"""
        node = self._c_expr()
        if not (isinstance(node, exp.Literal | exp.Boolean | exp.Null) or node.args.get("typed")):
            self._refuse("a constant is expected", self._prev)
        return node

    def _cycle_clause(self) -> list[exp.Expression]:
        """CYCLE columns SET column [TO value DEFAULT value] USING column"""
        if not self._accept("cycle"):
            return []
        parts: list[exp.Expression] = [*self._name_list()]
        self._expect("set")
        parts.append(self._col_id())
        if self._accept("to"):
            parts.append(self._constant())
            self._expect("default")
            parts.append(self._constant())
        self._expect("using")
        return [*parts, self._col_id()]
