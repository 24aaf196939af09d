"""Queries (gram.y, SelectStmt; manual, "SELECT")."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlglot import exp

from postgate.validator.grammar.from_items import FromGrammar

_SET_LEVELS = {"union": 1, "except": 1, "intersect": 2}
_SET_NODES: dict[str, type[exp.SetOperation]] = {
    "union": exp.Union,
    "except": exp.Except,
    "intersect": exp.Intersect,
}
_CHAIN_LIMIT = 2_000
# What a number of rows before ROWS can be (select_fetch_first_value): a c_expr, of which these are the useful ones.
_ROW_COUNTS = (exp.Literal, exp.Placeholder, exp.Column, exp.Paren, exp.Subquery, exp.Anonymous)
# What a query has once, whether inside or outside of its parentheses.
_ONCE = {"with_": "WITH", "order": "ORDER BY", "limit": "LIMIT", "offset": "OFFSET"}
# After these words a SELECT has no output columns.
_NO_COLUMNS = frozenset(
    """
    into from where group having window union intersect except order limit offset fetch for returning on
    """.split()
)


class SelectGrammar(FromGrammar):
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

    def _refuse_second(self, query: exp.Expression, clauses: Collection[str]) -> None:
        """insertSelectOptions: PostgreSQL adds what follows parentheses to the query inside of them."""
        for inner in self._unwrapped(query):
            for clause in _ONCE.keys() & clauses:
                if inner.args.get(clause) is not None:
                    self._refuse(f"multiple {_ONCE[clause]} clauses not allowed", self._prev)

    def _unwrapped(self, query: exp.Expression) -> Iterator[exp.Expression]:
        """A query, and each query inside of its parentheses."""
        yield query
        while isinstance(query, exp.Subquery):
            query = query.this
            yield query

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

    def _query_tail(self, query: exp.Expression) -> exp.Expression:
        parts: dict[str, Any] = {}
        if self._at("order"):
            parts["order"] = self._sort_clause()
        locks = self._locks()
        self._limits(parts)
        locks = self._locks() if locks is None else locks
        if locks:
            parts["locks"] = locks
        if parts:
            self._refuse_second(query, parts)
        for key, value in parts.items():
            query.set(key, value)
        if "limit" in parts and parts["limit"].args.get("ties"):
            self._judge_ties(query)
        return query

    def _judge_ties(self, query: exp.Expression) -> None:
        """What PostgreSQL's grammar itself demands of WITH TIES."""
        inner = list(self._unwrapped(query))
        if not any(part.args.get("order") is not None for part in inner):
            self._refuse("WITH TIES cannot be specified without ORDER BY clause", self._prev)
        if any(lock.args.get("skip_locked") for part in inner for lock in part.args.get("locks") or ()):
            self._refuse("SKIP LOCKED and WITH TIES options cannot be used together", self._prev)

    def _sort_clause(self) -> exp.Order:
        self._expect("order", "by")
        return exp.Order(expressions=self._list(self._sort_item))

    def _sort_item(self) -> exp.Ordered:
        """sortby"""
        ordered = exp.Ordered(this=self._a_expr())
        if self._accept("using"):
            self._sort_operator(ordered)
        elif self._accept("desc"):
            ordered.set("desc", True)
        else:
            self._accept("asc")
        if self._accept("nulls") and not self._accept("first"):
            self._expect("last")
        return ordered

    def _sort_operator(self, ordered: exp.Ordered) -> None:
        """qual_all_Op"""
        if self._at("operator"):
            schema, operator = self._qualified_operator()
        elif self._at_punct("OP"):
            schema, operator = None, self._curr.value
            self._advance()
        else:
            self._unexpected()
        ordered.set("using", exp.Operator(operator=operator, schema=schema))

    def _limits(self, parts: dict[str, Any]) -> None:
        """select_limit: LIMIT or FETCH, and OFFSET, in either order"""
        node: exp.Expression
        for _ in range(2):
            if self._accept("limit"):
                key, node = "limit", self._limit()
            elif self._at("fetch"):
                key, node = "limit", self._fetch()
            elif self._accept("offset"):
                key, node = "offset", self._offset()
            else:
                return
            if key in parts:
                self._refuse(f"{key.upper()} stands twice", self._prev)
            if self._at_punct(","):
                self._refuse("LIMIT x, y is not PostgreSQL; use LIMIT and OFFSET")
            parts[key] = node

    def _limit(self) -> exp.Limit:
        """select_limit_value, after LIMIT"""
        return exp.Limit(all=True) if self._accept("all") else exp.Limit(expression=self._a_expr())

    def _offset(self) -> exp.Offset:
        """select_offset_value, after OFFSET"""
        count = self._a_expr()
        if self._at("row") or self._at("rows"):
            number = count.expression if isinstance(count, exp.Operator) and count.this is None else count
            if not isinstance(number, _ROW_COUNTS) or (number is not count and not isinstance(number, exp.Literal)):
                self._unexpected()
            self._advance()
        return exp.Offset(expression=count)

    def _fetch(self) -> exp.Limit:
        """FETCH; one row when it gives no number"""
        self._advance()
        if not self._accept("first"):
            self._expect("next")
        count = None
        if not self._at("row") and not self._at("rows"):
            count = self._signed_number() if self._at_punct("OP") else self._c_expr()
        if not self._accept("rows"):
            self._expect("row")
        ties = self._accept("with")
        self._expect("ties" if ties else "only")
        return exp.Limit(expression=count, ties=ties)

    def _locks(self) -> list[exp.Lock] | None:
        """for_locking_clause, None when there is none; FOR READ ONLY locks nothing"""
        if not self._at("for"):
            return None
        locks: list[exp.Lock] = []
        if self._at("for", "read"):
            self._expect("for", "read", "only")
            return locks
        while self._accept("for"):
            locks.append(self._lock())
        return locks

    def _lock(self) -> exp.Lock:
        for words in (("update",), ("no", "key", "update"), ("share",), ("key", "share")):
            if self._accept(*words):
                break
        else:
            self._unexpected()
        names = self._list(self._qualified_name) if self._accept("of") else []
        if any(name.args.get("db") for name in names):
            self._refuse("FOR ... OF takes the plain names of the FROM clause", self._prev)
        skips = not self._accept("nowait") and self._accept("skip")
        if skips:
            self._expect("locked")
        return exp.Lock(expressions=[name.this for name in names], skip_locked=skips)

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
