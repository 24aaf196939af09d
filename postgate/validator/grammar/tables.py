"""CREATE TABLE: table constraints, inheritance and partitions."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.grammar.columns import TIMING

_CHECK = frozenset({"NOT VALID", "NO INHERIT", "ENFORCED", "NOT ENFORCED"})
_NOT_NULL = frozenset({"NOT VALID", "NO INHERIT"})
_FOREIGN = TIMING | {"NOT VALID", "ENFORCED", "NOT ENFORCED"}
_CONSTRAINTS = frozenset({"constraint", "check", "not", "unique", "primary", "foreign"})
_LIKE_OPTIONS = frozenset(
    {
        "all",
        "comments",
        "compression",
        "constraints",
        "defaults",
        "generated",
        "identity",
        "indexes",
        "statistics",
        "storage",
    }
)
_STRATEGIES = frozenset({"list", "range", "hash"})


class Tables(Chapter):
    """CREATE TABLE in its forms with columns, and the constraints that ALTER TABLE shares."""

    __slots__ = ()

    def create_table(self, unlogged: bool) -> exp.Create:
        """CreateStmt and CreateAsStmt, after TABLE."""
        exists = self.grammar.options.if_not_exists()
        name = self.grammar.names.qualified_name()
        create = exp.Create(kind="TABLE", this=name, exists=exists, unlogged=unlogged)
        if self.cursor.accept("partition"):
            return self._partition_of(create)
        if self.cursor.at("of"):
            self.grammar.options.not_allowed("CREATE TABLE OF a type")
        if not self.cursor.at_kind("(") or self._at_column_names():
            return self.table_from_query(create)
        elements = self.elements(self._table_element)
        create.set("this", exp.Schema(this=name, expressions=elements))
        if self.cursor.accept("inherits"):
            create.set("inherits", self._inherits())
        return self._table_clauses(create)

    def _at_column_names(self) -> bool:
        """Whether the parenthesis holds names only, as before AS: a column of a definition has a type."""
        first, second = self.cursor.peek(1), self.cursor.peek(2)
        return first.kind in ("IDENT", "QIDENT") and second.kind in (",", ")")

    def elements(self, parse_element: Any) -> list[exp.Expression]:
        """OptTableElementList in its parentheses, which may be empty."""
        self.cursor.expect_kind("(")
        elements = [] if self.cursor.at_kind(")") else self.cursor.comma_list(parse_element)
        self.cursor.expect_kind(")")
        return elements

    def _inherits(self) -> exp.InheritsProperty:
        return exp.InheritsProperty(expressions=self.cursor.parenthesised_list(self.grammar.names.qualified_name))

    def _table_clauses(self, create: exp.Create) -> exp.Create:
        """OptPartitionSpec table_access_method_clause OptWith OnCommitOption OptTableSpace"""
        if self.cursor.accept("partition"):
            create.set("partitioned_by", self._partition_spec())
        return self._table_storage(create)

    def _table_storage(self, create: exp.Create) -> exp.Create:
        create.set("using", self.grammar.options.access_method())
        if create.args["kind"] != "TABLE" or not self.cursor.accept("without", "oids"):
            create.set("with_storage", self.grammar.options.with_storage_parameters())
        if self.cursor.at("on", "commit"):
            self.grammar.options.not_allowed("ON COMMIT")
        self.grammar.indexes.refuse_tablespace()
        return create

    def table_from_query(self, create: exp.Create) -> exp.Create:
        """create_as_target AS SelectStmt opt_with_data"""
        columns = self.grammar.options.optional_columns()
        if columns:
            create.set("this", exp.Schema(this=create.this, expressions=columns))
        self._table_storage(create)
        return self._filled_from_query(create)

    def _filled_from_query(self, create: exp.Create) -> exp.Create:
        self.cursor.expect("as")
        if self.cursor.at("execute"):
            self.grammar.options.not_allowed("EXECUTE")
        create.set("expression", self.grammar.queries.select_stmt())
        create.set("with_data", self.grammar.options.with_data())
        return create

    def _partition_of(self, create: exp.Create) -> exp.Create:
        """PARTITION OF qualified_name OptTypedTableElementList PartitionBoundSpec"""
        self.cursor.expect("of")
        create.set("partition_of", self.grammar.names.qualified_name())
        if self.cursor.at_kind("("):
            elements = self.cursor.parenthesised_list(self._typed_element)
            create.set("this", exp.Schema(this=create.this, expressions=elements))
        create.set("bound", self.partition_bound())
        return self._table_clauses(create)

    def _table_element(self) -> exp.Expression:
        """TableElement"""
        if self.cursor.accept("like"):
            return self._like()
        return self.table_constraint() if self.at_table_constraint() else self.grammar.columns.column_definition()

    def _typed_element(self) -> exp.Expression:
        """TypedTableElement"""
        return self.table_constraint() if self.at_table_constraint() else self.grammar.columns.typed_column()

    def at_table_constraint(self) -> bool:
        """Only EXCLUDE could also be the name of a column, which has neither of these behind it."""
        if self.cursor.at("exclude"):
            following = self.cursor.peek(1)
            return bool(following.kind == "(" or (following.kind == "IDENT" and following.value == "using"))
        return self.cursor.at_any(_CONSTRAINTS)

    def _like(self) -> exp.LikeProperty:
        """TableLikeClause, after LIKE."""
        table = self.grammar.names.qualified_name()
        options = []
        while word := self.cursor.accept_any(frozenset({"including", "excluding"})):
            option = self.cursor.accept_any(_LIKE_OPTIONS)
            if option is None:
                self.cursor.unexpected()
            options.append(self.grammar.constants.keyword(f"{word} {option}".upper()))
        return exp.LikeProperty(this=table, expressions=options)

    def table_constraint(self) -> exp.Constraint:
        """TableConstraint"""
        name = self.grammar.names.col_id() if self.cursor.accept("constraint") else None
        return exp.Constraint(this=name, expressions=self._table_constraint_element())

    def _table_constraint_element(self) -> list[exp.Expression]:
        """ConstraintElem: what it demands, and its attributes."""
        if self.cursor.accept("check"):
            return self.with_attributes(exp.CheckColumnConstraint(this=self.grammar.columns.parenthesised()), _CHECK)
        if self.cursor.accept("not", "null"):
            return self.with_attributes(exp.NotNullColumnConstraint(this=self.grammar.names.col_id()), _NOT_NULL)
        if self.cursor.accept("unique"):
            unique = exp.UniqueColumnConstraint(nulls_not_distinct=self.grammar.columns.nulls_not_distinct())
            return self.with_attributes(self._key(unique), TIMING)
        if self.cursor.accept("primary"):
            self.cursor.expect("key")
            return self.with_attributes(self._key(exp.PrimaryKey()), TIMING)
        if self.cursor.accept("exclude"):
            return self.with_attributes(self.grammar.indexes.exclusion(), TIMING)
        self.cursor.expect("foreign", "key")
        return self.with_attributes(self._foreign_key(), _FOREIGN)

    def with_attributes(self, constraint: exp.Expression, allowed: frozenset[str]) -> list[exp.Expression]:
        return [constraint, *self.grammar.columns.attributes(allowed)]

    def _key(self, key: exp.Expression) -> exp.Expression:
        """UNIQUE or PRIMARY KEY over columns, or over an index that exists."""
        if self.cursor.accept("using", "index"):
            if key.args.get("nulls_not_distinct") is not None:
                self.cursor.refuse("NULLS DISTINCT belongs to the index", self.cursor.previous)
            key.set("using_index", self.grammar.names.col_id())
            return key
        self.cursor.expect_kind("(")
        key.set("expressions", self.cursor.comma_list(self.grammar.names.col_id))
        key.set("without_overlaps", self.cursor.accept("without", "overlaps"))
        self.cursor.expect_kind(")")
        key.set("include", self.grammar.indexes.included_columns())
        return self.grammar.columns.with_index_parameters(key)

    def _foreign_key(self) -> exp.ForeignKey:
        columns = self._period_columns()
        self.cursor.expect("references")
        table = self.grammar.names.qualified_name()
        referenced = self._period_columns() if self.cursor.at_kind("(") else []
        reference = exp.Reference(this=table, expressions=referenced)
        return exp.ForeignKey(expressions=columns, reference=self.grammar.columns.with_key_actions(reference))

    def _period_columns(self) -> list[exp.Identifier]:
        """( columnList [, PERIOD ColId] )"""
        self.cursor.expect_kind("(")
        columns = [self.grammar.names.col_id()]
        while self.cursor.accept_kind(","):
            is_period = self.cursor.at("period") and self.cursor.peek(1).kind in ("IDENT", "QIDENT")
            if is_period:
                self.cursor.advance()
            columns.append(self.grammar.names.col_id())
            if is_period:
                break
        self.cursor.expect_kind(")")
        return columns

    def _partition_spec(self) -> exp.PartitionedByProperty:
        """PartitionSpec, after PARTITION."""
        self.cursor.expect("by")
        strategy = self.grammar.names.col_id()
        if strategy.name.lower() not in _STRATEGIES:
            self.cursor.refuse(f'unrecognized partitioning strategy "{strategy.name}"', self.cursor.previous)
        columns = self.cursor.parenthesised_list(self._partition_element)
        return exp.PartitionedByProperty(this=strategy, expressions=columns)

    def _partition_element(self) -> exp.Expression:
        """part_elem"""
        element = self.grammar.indexes.indexed()
        collation = self.grammar.options.collation()
        if collation is not None:
            collation.set("this", element)
            element = collation
        if not self.grammar.names.at_col_id():
            return element
        return exp.Opclass(this=element, expression=self.grammar.names.qualified_name())

    def partition_bound(self) -> exp.PartitionBoundSpec:
        """PartitionBoundSpec"""
        if self.cursor.accept("default"):
            return exp.PartitionBoundSpec(default=True)
        self.cursor.expect("for", "values")
        if self.cursor.accept("in"):
            return exp.PartitionBoundSpec(this=self.cursor.parenthesised_list(self.grammar.expressions.a_expr))
        if self.cursor.accept("from"):
            lower = self.cursor.parenthesised_list(self.grammar.expressions.a_expr)
            self.cursor.expect("to")
            return exp.PartitionBoundSpec(
                from_expressions=lower, to_expressions=self.cursor.parenthesised_list(self.grammar.expressions.a_expr)
            )
        self.cursor.expect("with")
        return exp.PartitionBoundSpec(this=self._hash_bound())

    def _hash_bound(self) -> list[exp.Property]:
        """hash_partbound: a modulus and a remainder, in either order."""
        bounds = self.cursor.parenthesised_list(self._hash_bound_element)
        if sorted(bound.this.name for bound in bounds) != ["modulus", "remainder"]:
            self.cursor.refuse("a hash partition has one modulus and one remainder", self.cursor.previous)
        return bounds

    def _hash_bound_element(self) -> exp.Property:
        return exp.Property(this=self.grammar.names.non_reserved_word(), value=self.grammar.constants.integer())
