"""Indexes and statistics, and their elements."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.columns import ColumnGrammar

_STATISTICS = frozenset({"ndistinct", "dependencies", "mcv"})


class IndexGrammar(ColumnGrammar):
    """CREATE INDEX, CREATE STATISTICS, and the elements that exclusion constraints share with indexes."""

    def _create_index(self, unique: bool) -> exp.Create:
        """IndexStmt, after INDEX."""
        if self._at("concurrently"):
            self._refuse("CREATE INDEX CONCURRENTLY cannot run inside a transaction")
        exists = self._if_not_exists()
        name = None if self._at("on") and not exists else self._col_id()
        self._expect("on")
        table = self._relation_expr()
        method = self._access_method()
        elements = self._parenthesised_list(self._index_element)
        include = self._included_columns()
        nulls_not_distinct = self._nulls_not_distinct()
        parameters = self._with_storage_parameters()
        self._refuse_tablespace()
        where = exp.Where(this=self._a_expr()) if self._accept("where") else None
        index = exp.Index(
            this=name,
            table=table,
            unique=unique,
            params=exp.IndexParameters(
                using=method, columns=elements, include=include, with_storage=parameters, where=where
            ),
        )
        return exp.Create(kind="INDEX", this=index, unique=unique, exists=exists, nulls_not_distinct=nulls_not_distinct)

    def _refuse_tablespace(self) -> None:
        if self._at("tablespace"):
            self._not_allowed("TABLESPACE")

    def _included_columns(self) -> list[exp.Identifier]:
        """opt_include; PostgreSQL takes nothing but columns there in the end."""
        return self._column_names() if self._accept("include") else []

    def _index_element(self) -> exp.Ordered:
        """index_elem"""
        element = self._indexed()
        collation = self._collation()
        if collation is not None:
            collation.set("this", element)
            element = collation
        element = self._with_operator_class(element)
        descending = self._accept("desc")
        if not descending:
            self._accept("asc")
        return exp.Ordered(this=element, desc=descending, nulls_first=self._nulls_first())

    def _nulls_first(self) -> bool | None:
        """opt_nulls_order"""
        if self._accept("nulls", "first"):
            return True
        return False if self._accept("nulls", "last") else None

    def _indexed(self) -> exp.Expression:
        """ColId, func_expr_windowless or ( a_expr )"""
        if self._at_punct("("):
            return exp.Paren(this=self._parenthesised())
        if self._at_col_id() and self._peek(1).kind not in ("(", "."):
            return exp.Column(this=self._col_id())
        return self._func_call()

    def _with_operator_class(self, element: exp.Expression) -> exp.Expression:
        """opt_qualified_name, or any_name reloptions"""
        if not self._at_col_id() or self._at("nulls", "first") or self._at("nulls", "last"):
            return element
        name = self._qualified_name()
        parameters = self._storage_parameters() if self._at_punct("(") else None
        return exp.Opclass(this=element, expression=name, params=parameters)

    def _exclusion(self) -> exp.ExcludeColumnConstraint:
        """EXCLUDE, after the word."""
        method = self._access_method()
        elements = self._parenthesised_list(self._exclusion_element)
        include = self._included_columns()
        constraint = exp.ExcludeColumnConstraint()
        self._with_index_parameters(constraint)
        where = exp.Where(this=self._parenthesised()) if self._accept("where") else None
        parameters = exp.IndexParameters(using=method, columns=elements, include=include, where=where)
        constraint.set("this", parameters)
        return constraint

    def _exclusion_element(self) -> exp.WithOperator:
        """ExclusionConstraintElem"""
        element = self._index_element()
        self._expect("with")
        if self._accept("operator"):
            self._expect_punct("(")
            operator = self._any_operator()
            self._expect_punct(")")
        else:
            operator = self._any_operator()
        return exp.WithOperator(this=element, op=operator)

    def _any_operator(self) -> exp.Operator:
        """any_operator, with at most one qualifier."""
        schema = None
        if self._at_col_id():
            schema = self._col_id()
            self._expect_punct(".")
        if not self._at_punct("OP"):
            self._unexpected()
        operator = exp.Operator(operator=self._curr.value, schema=schema)
        self._advance()
        return operator

    def _create_statistics(self) -> exp.Create:
        """CreateStatsStmt, after STATISTICS, over the one relation that it can have."""
        exists = self._if_not_exists()
        named = exists or not (self._at("on") or self._at_punct("("))
        name = self._qualified_name() if named else None
        kinds: list[Any] = []
        if self._at_punct("("):
            kinds = self._parenthesised_list(self._statistics_kind)
        self._expect("on")
        columns = self._list(self._indexed)
        self._expect("from")
        table = self._qualified_name()
        return exp.Create(kind="STATISTICS", this=name, exists=exists, kinds=kinds, expressions=columns, table=table)

    def _statistics_kind(self) -> exp.Identifier:
        kind = self._col_id()
        if kind.name not in _STATISTICS:
            self._refuse(f'unknown kind of statistics "{kind.name}"', self._prev)
        return kind
