"""CREATE TABLE: table constraints, inheritance and partitions."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.columns import TIMING
from postgate.validator.grammar.indexes import IndexGrammar

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


class TableGrammar(IndexGrammar):
    """CREATE TABLE in its forms with columns, and the constraints that ALTER TABLE shares."""

    def _create_table(self, unlogged: bool) -> exp.Create:
        """CreateStmt and CreateAsStmt, after TABLE."""
        exists = self._if_not_exists()
        name = self._qualified_name()
        create = exp.Create(kind="TABLE", this=name, exists=exists, unlogged=unlogged)
        if self._accept("partition"):
            return self._partition_of(create)
        if self._at("of"):
            self._not_allowed("CREATE TABLE OF a type")
        if not self._at_punct("(") or self._at_column_names():
            return self._table_from_query(create)
        elements = self._elements(self._table_element)
        create.set("this", exp.Schema(this=name, expressions=elements))
        if self._accept("inherits"):
            create.set("inherits", self._inherits())
        return self._table_clauses(create)

    def _at_column_names(self) -> bool:
        """Whether the parenthesis holds names only, as before AS: a column of a definition has a type."""
        first, second = self._peek(1), self._peek(2)
        return first.kind in ("IDENT", "QIDENT") and second.kind in (",", ")")

    def _elements(self, parse_element: Any) -> list[exp.Expression]:
        """OptTableElementList in its parentheses, which may be empty."""
        self._expect_punct("(")
        elements = [] if self._at_punct(")") else self._list(parse_element)
        self._expect_punct(")")
        return elements

    def _inherits(self) -> exp.InheritsProperty:
        return exp.InheritsProperty(expressions=self._parenthesised_list(self._qualified_name))

    def _table_clauses(self, create: exp.Create) -> exp.Create:
        """OptPartitionSpec table_access_method_clause OptWith OnCommitOption OptTableSpace"""
        if self._accept("partition"):
            create.set("partitioned_by", self._partition_spec())
        return self._table_storage(create)

    def _table_storage(self, create: exp.Create) -> exp.Create:
        create.set("using", self._access_method())
        if create.args["kind"] != "TABLE" or not self._accept("without", "oids"):
            create.set("with_storage", self._with_storage_parameters())
        if self._at("on", "commit"):
            self._not_allowed("ON COMMIT")
        self._refuse_tablespace()
        return create

    def _table_from_query(self, create: exp.Create) -> exp.Create:
        """create_as_target AS SelectStmt opt_with_data"""
        columns = self._optional_columns()
        if columns:
            create.set("this", exp.Schema(this=create.this, expressions=columns))
        self._table_storage(create)
        return self._filled_from_query(create)

    def _filled_from_query(self, create: exp.Create) -> exp.Create:
        self._expect("as")
        if self._at("execute"):
            self._not_allowed("EXECUTE")
        create.set("expression", self._select_stmt())
        create.set("with_data", self._with_data())
        return create

    def _partition_of(self, create: exp.Create) -> exp.Create:
        """PARTITION OF qualified_name OptTypedTableElementList PartitionBoundSpec"""
        self._expect("of")
        create.set("partition_of", self._qualified_name())
        if self._at_punct("("):
            elements = self._parenthesised_list(self._typed_element)
            create.set("this", exp.Schema(this=create.this, expressions=elements))
        create.set("bound", self._partition_bound())
        return self._table_clauses(create)

    def _table_element(self) -> exp.Expression:
        """TableElement"""
        if self._accept("like"):
            return self._like()
        return self._table_constraint() if self._at_table_constraint() else self._column_definition()

    def _typed_element(self) -> exp.Expression:
        """TypedTableElement"""
        return self._table_constraint() if self._at_table_constraint() else self._typed_column()

    def _at_table_constraint(self) -> bool:
        """Only EXCLUDE could also be the name of a column, which has neither of these behind it."""
        if self._at("exclude"):
            following = self._peek(1)
            return bool(following.kind == "(" or (following.kind == "IDENT" and following.value == "using"))
        return self._at_any(_CONSTRAINTS)

    def _like(self) -> exp.LikeProperty:
        """TableLikeClause, after LIKE."""
        table = self._qualified_name()
        options = []
        while word := self._accept_any(frozenset({"including", "excluding"})):
            option = self._accept_any(_LIKE_OPTIONS)
            if option is None:
                self._unexpected()
            options.append(self._keyword_node(f"{word} {option}".upper()))
        return exp.LikeProperty(this=table, expressions=options)

    def _table_constraint(self) -> exp.Constraint:
        """TableConstraint"""
        name = self._col_id() if self._accept("constraint") else None
        return exp.Constraint(this=name, expressions=self._table_constraint_element())

    def _table_constraint_element(self) -> list[exp.Expression]:
        """ConstraintElem: what it demands, and its attributes."""
        if self._accept("check"):
            return self._with_attributes(exp.CheckColumnConstraint(this=self._parenthesised()), _CHECK)
        if self._accept("not", "null"):
            return self._with_attributes(exp.NotNullColumnConstraint(this=self._col_id()), _NOT_NULL)
        if self._accept("unique"):
            unique = exp.UniqueColumnConstraint(nulls_not_distinct=self._nulls_not_distinct())
            return self._with_attributes(self._key(unique), TIMING)
        if self._accept("primary"):
            self._expect("key")
            return self._with_attributes(self._key(exp.PrimaryKey()), TIMING)
        if self._accept("exclude"):
            return self._with_attributes(self._exclusion(), TIMING)
        self._expect("foreign", "key")
        return self._with_attributes(self._foreign_key(), _FOREIGN)

    def _with_attributes(self, constraint: exp.Expression, allowed: frozenset[str]) -> list[exp.Expression]:
        return [constraint, *self._attributes(allowed)]

    def _key(self, key: exp.Expression) -> exp.Expression:
        """UNIQUE or PRIMARY KEY over columns, or over an index that exists."""
        if self._accept("using", "index"):
            if key.args.get("nulls_not_distinct") is not None:
                self._refuse("NULLS DISTINCT belongs to the index", self._prev)
            key.set("using_index", self._col_id())
            return key
        self._expect_punct("(")
        key.set("expressions", self._list(self._col_id))
        key.set("without_overlaps", self._accept("without", "overlaps"))
        self._expect_punct(")")
        key.set("include", self._included_columns())
        return self._with_index_parameters(key)

    def _foreign_key(self) -> exp.ForeignKey:
        columns = self._period_columns()
        self._expect("references")
        table = self._qualified_name()
        referenced = self._period_columns() if self._at_punct("(") else []
        reference = exp.Reference(this=table, expressions=referenced)
        return exp.ForeignKey(expressions=columns, reference=self._with_key_actions(reference))

    def _period_columns(self) -> list[exp.Identifier]:
        """( columnList [, PERIOD ColId] )"""
        self._expect_punct("(")
        columns = [self._col_id()]
        while self._punct(","):
            is_period = self._at("period") and self._peek(1).kind in ("IDENT", "QIDENT")
            if is_period:
                self._advance()
            columns.append(self._col_id())
            if is_period:
                break
        self._expect_punct(")")
        return columns

    def _partition_spec(self) -> exp.PartitionedByProperty:
        """PartitionSpec, after PARTITION."""
        self._expect("by")
        strategy = self._col_id()
        if strategy.name.lower() not in _STRATEGIES:
            self._refuse(f'unrecognized partitioning strategy "{strategy.name}"', self._prev)
        columns = self._parenthesised_list(self._partition_element)
        return exp.PartitionedByProperty(this=strategy, expressions=columns)

    def _partition_element(self) -> exp.Expression:
        """part_elem"""
        element = self._indexed()
        collation = self._collation()
        if collation is not None:
            collation.set("this", element)
            element = collation
        if not self._at_col_id():
            return element
        return exp.Opclass(this=element, expression=self._qualified_name())

    def _partition_bound(self) -> exp.PartitionBoundSpec:
        """PartitionBoundSpec"""
        if self._accept("default"):
            return exp.PartitionBoundSpec(default=True)
        self._expect("for", "values")
        if self._accept("in"):
            return exp.PartitionBoundSpec(this=self._parenthesised_list(self._a_expr))
        if self._accept("from"):
            lower = self._parenthesised_list(self._a_expr)
            self._expect("to")
            return exp.PartitionBoundSpec(from_expressions=lower, to_expressions=self._parenthesised_list(self._a_expr))
        self._expect("with")
        return exp.PartitionBoundSpec(this=self._hash_bound())

    def _hash_bound(self) -> list[exp.Property]:
        """hash_partbound: a modulus and a remainder, in either order."""
        bounds = self._parenthesised_list(self._hash_bound_element)
        if sorted(bound.this.name for bound in bounds) != ["modulus", "remainder"]:
            self._refuse("a hash partition has one modulus and one remainder", self._prev)
        return bounds

    def _hash_bound_element(self) -> exp.Property:
        return exp.Property(this=self._non_reserved_word(), value=self._integer())
