"""What stands in FROM (gram.y, table_ref; manual, "Table Expressions")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_OUTER_JOINS = frozenset({"left", "right", "full"})
_JOIN_TYPES = _OUTER_JOINS | {"inner"}
_JOIN_WORDS = _JOIN_TYPES | {"join", "cross", "natural"}
_CHAIN_LIMIT = 1_000
# Functions without parentheses or with a syntax of their own, where a relation's name could not stand.
_SPECIAL_CALLS = frozenset(
    {
        "cast",
        "collation",
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "localtime",
        "localtimestamp",
        "session_user",
        "system_user",
        "user",
    }
)


class FromItems(Chapter):
    """Relations, functions, queries and their joins."""

    __slots__ = ()

    def table_ref(self) -> exp.Expression:
        """table_ref"""
        return self._joined(self._from_primary())

    def _joined(self, left: exp.Expression) -> exp.Expression:
        """An item with all the joins that follow it."""
        links = 0
        while self.cursor.at_any(_JOIN_WORDS):
            links += 1
            if links > _CHAIN_LIMIT:
                self.cursor.refuse(f"more than {_CHAIN_LIMIT} joins in a row", reason="limit")
            left = self._join(left)
        return left

    def _join(self, left: exp.Expression) -> exp.Join:
        if self.cursor.accept("cross"):
            self.cursor.expect("join")
            return exp.Join(this=left, expression=self._from_primary())
        natural = self.cursor.accept("natural")
        if self.cursor.accept_any(_JOIN_TYPES) in _OUTER_JOINS:
            self.cursor.accept("outer")
        self.cursor.expect("join")
        if natural:
            return exp.Join(this=left, expression=self._from_primary())
        self.cursor.descend()
        right = self._joined(self._from_primary())
        self.cursor.ascend()
        join = exp.Join(this=left, expression=right)
        if self.cursor.accept("using"):
            join.set("using", self.grammar.names.column_names())
            if self.cursor.accept("as"):
                join.set("alias", self.grammar.names.col_id())
            return join
        self.cursor.expect("on")
        join.set("on", self.grammar.expressions.a_expr())
        return join

    def _from_primary(self) -> exp.Expression:
        if self.cursor.at_kind("("):
            return self._parenthesised_item()
        lateral = self.cursor.accept("lateral")
        if lateral and self.cursor.at_kind("("):
            query = self.grammar.operands.in_parentheses()
            if not isinstance(query, exp.Subquery):
                self.cursor.unexpected()
            query.set("alias", self._alias())
            return query
        if self.cursor.at("rows", "from"):
            return self._rows_from()
        if self._at_table_function():
            return self._table_function()
        if lateral:
            self.cursor.unexpected()
        return self._sampled(self._aliased(self.relation_expr()))

    def _parenthesised_item(self) -> exp.Expression:
        """A query, or a join in parentheses"""
        self.cursor.descend()
        if self.grammar.operands.at_query_in_parentheses():
            node = self._query_or_join()
        else:
            self.cursor.expect_kind("(")
            node = self._joined_in_parentheses(self.table_ref())
        self.cursor.ascend()
        return node

    def _query_or_join(self) -> exp.Expression:
        """Parentheses that begin with a query: a query unless a join or an alias follows it inside of them."""
        self.cursor.expect_kind("(")
        if not self.cursor.at_kind("("):
            query = self.grammar.queries.select_stmt()
            self.cursor.expect_kind(")")
            return self._derived(query)
        self.cursor.descend()
        inner = self._query_or_join()
        self.cursor.ascend()
        if isinstance(inner, exp.Subquery) and inner.args.get("alias") is None:
            if self.cursor.accept_kind(")"):
                return self._derived(inner)
            if not self.cursor.at_any(_JOIN_WORDS):
                query = self.grammar.queries.select_rest(inner)
                self.cursor.expect_kind(")")
                return self._derived(query)
        return self._joined_in_parentheses(self._joined(inner))

    def _derived(self, query: exp.Expression) -> exp.Subquery:
        return exp.Subquery(this=query, alias=self._alias())

    def _joined_in_parentheses(self, joined: exp.Expression) -> exp.Expression:
        aliased = isinstance(joined, exp.Paren) and joined.args.get("alias") is not None
        if aliased or not isinstance(joined, exp.Join | exp.Paren):
            self.cursor.unexpected()
        self.cursor.expect_kind(")")
        return exp.Paren(this=joined, alias=self._alias())

    def relation_expr(self) -> exp.Table:
        """relation_expr: a relation, with ONLY or *"""
        if self.cursor.accept("only"):
            bracketed = self.cursor.accept_kind("(")
            relation = self.grammar.names.qualified_name()
            if bracketed:
                self.cursor.expect_kind(")")
            relation.set("only", True)
            return relation
        relation = self.grammar.names.qualified_name()
        self.cursor.accept_op("*")
        return relation

    def _aliased(self, relation: exp.Table) -> exp.Table:
        relation.set("alias", self._alias())
        return relation

    def _alias(self) -> exp.TableAlias | None:
        """opt_alias_clause"""
        if not self.cursor.accept("as") and not self.grammar.names.at_col_id():
            return None
        name = self.grammar.names.col_id()
        columns = self.grammar.names.column_names() if self.cursor.at_kind("(") else []
        return exp.TableAlias(this=name, columns=columns)

    def _sampled(self, relation: exp.Table) -> exp.Expression:
        """tablesample_clause"""
        if not self.cursor.accept("tablesample"):
            return relation
        parts = [
            self.grammar.names.type_function_name() if self.cursor.peek(1).kind == "(" else self.grammar.names.col_id()
        ]
        while self.cursor.accept_kind("."):
            parts.append(self.grammar.names.col_label())
        if len(parts) > 2:
            self.cursor.refuse("a sampling method may not be qualified with a database", self.cursor.previous)
        method: exp.Expression = exp.Anonymous(
            this=parts[-1], expressions=self.cursor.parenthesised_list(self.grammar.expressions.a_expr)
        )
        if len(parts) == 2:
            method = exp.Dot(this=parts[0], expression=method)
        return exp.TableSample(this=relation, method=method, seed=self._repeatable())

    def _repeatable(self) -> exp.Expression | None:
        """opt_repeatable_clause"""
        if not self.cursor.accept("repeatable"):
            return None
        self.cursor.expect_kind("(")
        seed = self.grammar.expressions.a_expr()
        self.cursor.expect_kind(")")
        return seed

    def _at_table_function(self) -> bool:
        """Whether a call comes next rather than a relation's name; both can have qualifiers."""
        if self.cursor.at_any(_SPECIAL_CALLS):
            return True
        ahead = 0
        while self.cursor.peek(ahead).kind in ("IDENT", "QIDENT") and self.cursor.peek(ahead + 1).kind == ".":
            ahead += 2
        return (
            self.cursor.peek(ahead).kind in ("IDENT", "QIDENT")
            and self.cursor.peek(ahead + 1).kind == "("
            and not self.cursor.at("only")
        )

    def _table_function(self) -> exp.Table:
        if self.cursor.at("xmltable"):
            call: exp.Expression = self.grammar.xml.xmltable()
            return exp.Table(this=call, alias=self._alias())
        if self.cursor.at("json_table"):
            return exp.Table(this=self.grammar.json.json_table(), alias=self._alias())
        call = self.grammar.calls.func_call()
        ordinality = self.cursor.accept("with", "ordinality")
        return self._with_columns(exp.Table(this=call, ordinality=ordinality))

    def _rows_from(self) -> exp.Table:
        """ROWS FROM ( call [AS (columns)], ... )"""
        self.cursor.expect("rows", "from")
        calls = self.cursor.parenthesised_list(self._rows_from_item)
        self.cursor.accept("with", "ordinality")
        return self._with_columns(exp.Table(this=exp.Tuple(expressions=calls)))

    def _rows_from_item(self) -> exp.Expression:
        call = self.grammar.calls.func_call()
        if not self.cursor.accept("as"):
            return call
        return exp.Table(this=call, columns=self.cursor.parenthesised_list(self._column_with_type))

    def _with_columns(self, table: exp.Table) -> exp.Table:
        """func_alias_clause: names, or names with types"""
        named = self.cursor.accept("as")
        if named and self.cursor.at_kind("("):
            table.set("columns", self.cursor.parenthesised_list(self._column_with_type))
            return table
        if not named and not self.grammar.names.at_col_id():
            return table
        alias = exp.TableAlias(this=self.grammar.names.col_id())
        table.set("alias", alias)
        if not self.cursor.at_kind("("):
            return table
        if self.cursor.peek(2).kind in (",", ")"):
            alias.set("columns", self.grammar.names.column_names())
        else:
            table.set("columns", self.cursor.parenthesised_list(self._column_with_type))
        return table

    def _column_with_type(self) -> exp.ColumnDef:
        """TableFuncElement"""
        column: dict[str, Any] = {"this": self.grammar.names.col_id(), "kind": self.grammar.types.type_name()}
        if self.cursor.accept("collate"):
            column["collate"] = exp.Collate(expression=self.grammar.names.qualified_name())
        return exp.ColumnDef(**column)
