"""Indexes and statistics, and their elements."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_STATISTICS = frozenset({"ndistinct", "dependencies", "mcv"})


class Indexes(Chapter):
    """CREATE INDEX, CREATE STATISTICS, and the elements that exclusion constraints share with indexes."""

    __slots__ = ()

    def create_index(self, unique: bool) -> exp.Create:
        """IndexStmt, after INDEX."""
        if self.cursor.at("concurrently"):
            self.cursor.refuse("CREATE INDEX CONCURRENTLY cannot run inside a transaction", reason="construct_denied")
        exists = self.grammar.options.if_not_exists()
        name = None if self.cursor.at("on") and not exists else self.grammar.names.col_id()
        self.cursor.expect("on")
        table = self.grammar.from_items.relation_expr()
        method = self.grammar.options.access_method()
        elements = self.cursor.parenthesised_list(self.index_element)
        include = self.included_columns()
        nulls_not_distinct = self.grammar.columns.nulls_not_distinct()
        parameters = self.grammar.options.with_storage_parameters()
        self.refuse_tablespace()
        where = exp.Where(this=self.grammar.expressions.a_expr()) if self.cursor.accept("where") else None
        index = exp.Index(
            this=name,
            table=table,
            unique=unique,
            params=exp.IndexParameters(
                using=method, columns=elements, include=include, with_storage=parameters, where=where
            ),
        )
        return exp.Create(kind="INDEX", this=index, unique=unique, exists=exists, nulls_not_distinct=nulls_not_distinct)

    def refuse_tablespace(self) -> None:
        if self.cursor.at("tablespace"):
            self.grammar.options.not_allowed("TABLESPACE")

    def included_columns(self) -> list[exp.Identifier]:
        """opt_include; PostgreSQL takes nothing but columns there in the end."""
        return self.grammar.names.column_names() if self.cursor.accept("include") else []

    def index_element(self) -> exp.Ordered:
        """index_elem"""
        element = self.indexed()
        collation = self.grammar.options.collation()
        if collation is not None:
            collation.set("this", element)
            element = collation
        element = self._with_operator_class(element)
        descending = self.cursor.accept("desc")
        if not descending:
            self.cursor.accept("asc")
        return exp.Ordered(this=element, desc=descending, nulls_first=self._nulls_first())

    def _nulls_first(self) -> bool | None:
        """opt_nulls_order"""
        if self.cursor.accept("nulls", "first"):
            return True
        return False if self.cursor.accept("nulls", "last") else None

    def indexed(self) -> exp.Expression:
        """ColId, func_expr_windowless or ( a_expr )"""
        if self.cursor.at_kind("("):
            return exp.Paren(this=self.grammar.columns.parenthesised())
        if self.grammar.names.at_col_id() and self.cursor.peek(1).kind not in ("(", "."):
            return exp.Column(this=self.grammar.names.col_id())
        return self.grammar.calls.func_call()

    def _with_operator_class(self, element: exp.Expression) -> exp.Expression:
        """opt_qualified_name, or any_name reloptions"""
        if not self.grammar.names.at_col_id() or self.cursor.at("nulls", "first") or self.cursor.at("nulls", "last"):
            return element
        name = self.grammar.names.qualified_name()
        parameters = self.grammar.options.storage_parameters() if self.cursor.at_kind("(") else None
        return exp.Opclass(this=element, expression=name, params=parameters)

    def exclusion(self) -> exp.ExcludeColumnConstraint:
        """EXCLUDE, after the word."""
        method = self.grammar.options.access_method()
        elements = self.cursor.parenthesised_list(self._exclusion_element)
        include = self.included_columns()
        constraint = exp.ExcludeColumnConstraint()
        self.grammar.columns.with_index_parameters(constraint)
        where = exp.Where(this=self.grammar.columns.parenthesised()) if self.cursor.accept("where") else None
        parameters = exp.IndexParameters(using=method, columns=elements, include=include, where=where)
        constraint.set("this", parameters)
        return constraint

    def _exclusion_element(self) -> exp.WithOperator:
        """ExclusionConstraintElem"""
        element = self.index_element()
        self.cursor.expect("with")
        if self.cursor.accept("operator"):
            self.cursor.expect_kind("(")
            operator = self._any_operator()
            self.cursor.expect_kind(")")
        else:
            operator = self._any_operator()
        return exp.WithOperator(this=element, op=operator)

    def _any_operator(self) -> exp.Operator:
        """any_operator, with at most one qualifier."""
        schema = None
        if self.grammar.names.at_col_id():
            schema = self.grammar.names.col_id()
            self.cursor.expect_kind(".")
        if not self.cursor.at_kind("OP"):
            self.cursor.unexpected()
        operator = exp.Operator(operator=self.cursor.current.value, schema=schema)
        self.cursor.advance()
        return operator

    def create_statistics(self) -> exp.Create:
        """CreateStatsStmt, after STATISTICS, over the one relation that it can have."""
        exists = self.grammar.options.if_not_exists()
        named = exists or not (self.cursor.at("on") or self.cursor.at_kind("("))
        name = self.grammar.names.qualified_name() if named else None
        kinds: list[Any] = []
        if self.cursor.at_kind("("):
            kinds = self.cursor.parenthesised_list(self._statistics_kind)
        self.cursor.expect("on")
        columns = self.cursor.comma_list(self.indexed)
        self.cursor.expect("from")
        table = self.grammar.names.qualified_name()
        return exp.Create(kind="STATISTICS", this=name, exists=exists, kinds=kinds, expressions=columns, table=table)

    def _statistics_kind(self) -> exp.Identifier:
        kind = self.grammar.names.col_id()
        if kind.name not in _STATISTICS:
            self.cursor.refuse(f'unknown kind of statistics "{kind.name}"', self.cursor.previous)
        return kind
