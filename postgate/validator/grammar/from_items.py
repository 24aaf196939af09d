"""What stands in FROM (gram.y, table_ref; manual, "Table Expressions")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.xml import XmlGrammar

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


class FromGrammar(XmlGrammar):
    """Relations, functions, queries and their joins."""

    def _table_ref(self) -> exp.Expression:
        """table_ref"""
        return self._joined(self._from_primary())

    def _joined(self, left: exp.Expression) -> exp.Expression:
        """An item with all the joins that follow it."""
        links = 0
        while self._at_any(_JOIN_WORDS):
            links += 1
            if links > _CHAIN_LIMIT:
                self._refuse(f"more than {_CHAIN_LIMIT} joins in a row")
            left = self._join(left)
        return left

    def _join(self, left: exp.Expression) -> exp.Join:
        if self._accept("cross"):
            self._expect("join")
            return exp.Join(this=left, expression=self._from_primary())
        natural = self._accept("natural")
        if self._accept_any(_JOIN_TYPES) in _OUTER_JOINS:
            self._accept("outer")
        self._expect("join")
        if natural:
            return exp.Join(this=left, expression=self._from_primary())
        self._descend()
        right = self._joined(self._from_primary())
        self._ascend()
        join = exp.Join(this=left, expression=right)
        if self._accept("using"):
            join.set("using", self._column_names())
            if self._accept("as"):
                join.set("alias", self._col_id())
            return join
        self._expect("on")
        join.set("on", self._a_expr())
        return join

    def _from_primary(self) -> exp.Expression:
        if self._at_punct("("):
            return self._parenthesised_item()
        lateral = self._accept("lateral")
        if lateral and self._at_punct("("):
            query = self._in_parentheses()
            if not isinstance(query, exp.Subquery):
                self._unexpected()
            query.set("alias", self._alias())
            return query
        if self._at("rows", "from"):
            return self._rows_from()
        if self._at_table_function():
            return self._table_function()
        if lateral:
            self._unexpected()
        return self._sampled(self._aliased(self._relation_expr()))

    def _parenthesised_item(self) -> exp.Expression:
        """A query, or a join in parentheses"""
        self._descend()
        if self._at_query_in_parentheses():
            node = self._query_or_join()
        else:
            self._expect_punct("(")
            node = self._joined_in_parentheses(self._table_ref())
        self._ascend()
        return node

    def _query_or_join(self) -> exp.Expression:
        """Parentheses that begin with a query: a query unless a join or an alias follows it inside of them."""
        self._expect_punct("(")
        if not self._at_punct("("):
            query = self._select_stmt()
            self._expect_punct(")")
            return self._derived(query)
        self._descend()
        inner = self._query_or_join()
        self._ascend()
        if isinstance(inner, exp.Subquery) and inner.args.get("alias") is None:
            if self._punct(")"):
                return self._derived(inner)
            if not self._at_any(_JOIN_WORDS):
                query = self._select_rest(inner)
                self._expect_punct(")")
                return self._derived(query)
        return self._joined_in_parentheses(self._joined(inner))

    def _derived(self, query: exp.Expression) -> exp.Subquery:
        return exp.Subquery(this=query, alias=self._alias())

    def _joined_in_parentheses(self, joined: exp.Expression) -> exp.Expression:
        aliased = isinstance(joined, exp.Paren) and joined.args.get("alias") is not None
        if aliased or not isinstance(joined, exp.Join | exp.Paren):
            self._unexpected()
        self._expect_punct(")")
        return exp.Paren(this=joined, alias=self._alias())

    def _relation_expr(self) -> exp.Table:
        """relation_expr: a relation, with ONLY or *"""
        if self._accept("only"):
            bracketed = self._punct("(")
            relation = self._qualified_name()
            if bracketed:
                self._expect_punct(")")
            relation.set("only", True)
            return relation
        relation = self._qualified_name()
        self._accept_op("*")
        return relation

    def _aliased(self, relation: exp.Table) -> exp.Table:
        relation.set("alias", self._alias())
        return relation

    def _alias(self) -> exp.TableAlias | None:
        """opt_alias_clause"""
        if not self._accept("as") and not self._at_col_id():
            return None
        name = self._col_id()
        columns = self._column_names() if self._at_punct("(") else []
        return exp.TableAlias(this=name, columns=columns)

    def _sampled(self, relation: exp.Table) -> exp.Expression:
        """tablesample_clause"""
        if not self._accept("tablesample"):
            return relation
        parts = [self._type_function_name() if self._peek(1).kind == "(" else self._col_id()]
        while self._punct("."):
            parts.append(self._col_label())
        if len(parts) > 2:
            self._refuse("a sampling method may not be qualified with a database", self._prev)
        method: exp.Expression = exp.Anonymous(this=parts[-1], expressions=self._parenthesised_list(self._a_expr))
        if len(parts) == 2:
            method = exp.Dot(this=parts[0], expression=method)
        return exp.TableSample(this=relation, method=method, seed=self._repeatable())

    def _repeatable(self) -> exp.Expression | None:
        """opt_repeatable_clause"""
        if not self._accept("repeatable"):
            return None
        self._expect_punct("(")
        seed = self._a_expr()
        self._expect_punct(")")
        return seed

    def _at_table_function(self) -> bool:
        """Whether a call comes next rather than a relation's name; both can have qualifiers."""
        if self._at_any(_SPECIAL_CALLS):
            return True
        ahead = 0
        while self._peek(ahead).kind in ("IDENT", "QIDENT") and self._peek(ahead + 1).kind == ".":
            ahead += 2
        return (
            self._peek(ahead).kind in ("IDENT", "QIDENT") and self._peek(ahead + 1).kind == "(" and not self._at("only")
        )

    def _table_function(self) -> exp.Table:
        if self._at("xmltable"):
            call: exp.Expression = self._xmltable()
            return exp.Table(this=call, alias=self._alias())
        if self._at("json_table"):
            return exp.Table(this=self._json_table(), alias=self._alias())
        call = self._func_call()
        ordinality = self._accept("with", "ordinality")
        return self._with_columns(exp.Table(this=call, ordinality=ordinality))

    def _rows_from(self) -> exp.Table:
        """ROWS FROM ( call [AS (columns)], ... )"""
        self._expect("rows", "from")
        calls = self._parenthesised_list(self._rows_from_item)
        self._accept("with", "ordinality")
        return self._with_columns(exp.Table(this=exp.Tuple(expressions=calls)))

    def _rows_from_item(self) -> exp.Expression:
        call = self._func_call()
        if not self._accept("as"):
            return call
        return exp.Table(this=call, columns=self._parenthesised_list(self._column_with_type))

    def _with_columns(self, table: exp.Table) -> exp.Table:
        """func_alias_clause: names, or names with types"""
        named = self._accept("as")
        if named and self._at_punct("("):
            table.set("columns", self._parenthesised_list(self._column_with_type))
            return table
        if not named and not self._at_col_id():
            return table
        alias = exp.TableAlias(this=self._col_id())
        table.set("alias", alias)
        if not self._at_punct("("):
            return table
        if self._peek(2).kind in (",", ")"):
            alias.set("columns", self._column_names())
        else:
            table.set("columns", self._parenthesised_list(self._column_with_type))
        return table

    def _column_with_type(self) -> exp.ColumnDef:
        """TableFuncElement"""
        column: dict[str, Any] = {"this": self._col_id(), "kind": self._type_name()}
        if self._accept("collate"):
            column["collate"] = exp.Collate(expression=self._qualified_name())
        return exp.ColumnDef(**column)
