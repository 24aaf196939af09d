"""Columns of tables, and what constrains them."""

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

# Conflicting attributes stand in one set; the grammar of PostgreSQL refuses two of them.
_CONFLICTS = (
    frozenset({"DEFERRABLE", "NOT DEFERRABLE"}),
    frozenset({"INITIALLY DEFERRED", "INITIALLY IMMEDIATE"}),
    frozenset({"INITIALLY DEFERRED", "NOT DEFERRABLE"}),
    frozenset({"ENFORCED", "NOT ENFORCED"}),
)
_ATTRIBUTES = (
    "NOT DEFERRABLE",
    "DEFERRABLE",
    "INITIALLY IMMEDIATE",
    "INITIALLY DEFERRED",
    "NOT VALID",
    "NO INHERIT",
    "NOT ENFORCED",
    "ENFORCED",
)
_ATTRIBUTE_WORDS = frozenset(attribute.split()[0].lower() for attribute in _ATTRIBUTES)
TIMING = frozenset(_ATTRIBUTES[:4])
_COLUMN_ATTRIBUTES = frozenset(_ATTRIBUTES) - {"NOT VALID", "NO INHERIT"}


class Columns(Chapter):
    """columnDef and ColQualList."""

    __slots__ = ()

    def column_definition(self, exists: bool = False) -> exp.ColumnDef:
        """columnDef: name, type and constraints."""
        column = exp.ColumnDef(this=self.grammar.names.col_id(), kind=self.grammar.types.type_name(), exists=exists)
        if self.cursor.accept("storage"):
            column.set("storage", self.word_or_default())
        if self.cursor.accept("compression"):
            column.set("compression", self.word_or_default())
        if self.cursor.at("options"):
            self.grammar.options.not_allowed("OPTIONS")
        column.set("constraints", self.column_constraints())
        return column

    def word_or_default(self) -> exp.Expression:
        """ColId or DEFAULT"""
        return (
            self.grammar.constants.keyword("DEFAULT") if self.cursor.accept("default") else self.grammar.names.col_id()
        )

    def typed_column(self) -> exp.ColumnDef:
        """columnOptions: a column whose type comes from the partitioned table."""
        name = self.grammar.names.col_id()
        self.cursor.accept("with", "options")
        return exp.ColumnDef(this=name, constraints=self.column_constraints())

    def composite_column(self) -> exp.ColumnDef:
        """TableFuncElement: an attribute of a composite type."""
        return exp.ColumnDef(
            this=self.grammar.names.col_id(),
            kind=self.grammar.types.type_name(),
            collate=self.grammar.options.collation(),
        )

    def column_constraints(self) -> list[exp.ColumnConstraint]:
        """ColQualList"""
        constraints = []
        collated = False
        while (constraint := self._column_constraint()) is not None:
            if isinstance(constraint.args["kind"], exp.Collate):
                if collated:
                    self.cursor.refuse("multiple COLLATE clauses not allowed", self.cursor.previous)
                collated = True
            constraints.append(constraint)
        return constraints

    def _column_constraint(self) -> exp.ColumnConstraint | None:
        """ColConstraint"""
        if self.cursor.current.kind != "IDENT":
            return None
        if self.cursor.accept("constraint"):
            name = self.grammar.names.col_id()
            kind = self._constraint_element()
            if kind is None:
                self.cursor.unexpected()
            return exp.ColumnConstraint(this=name, kind=kind)
        kind = self._constraint_element() or self.grammar.options.collation() or self._attribute(_COLUMN_ATTRIBUTES)
        return exp.ColumnConstraint(kind=kind) if kind is not None else None

    def _constraint_element(self) -> exp.Expression | None:
        """ColConstraintElem"""
        if self.cursor.accept("not", "null"):
            return exp.NotNullColumnConstraint(no_inherit=self.cursor.accept("no", "inherit"))
        if self.cursor.accept("null"):
            return exp.NotNullColumnConstraint(allow_null=True)
        if self.cursor.accept("default"):
            return exp.DefaultColumnConstraint(this=self.grammar.expressions.b_expr())
        if self.cursor.accept("check"):
            return exp.CheckColumnConstraint(this=self.parenthesised(), no_inherit=self.cursor.accept("no", "inherit"))
        if self.cursor.accept("unique"):
            unique = exp.UniqueColumnConstraint(nulls_not_distinct=self.nulls_not_distinct())
            return self.with_index_parameters(unique)
        if self.cursor.accept("primary"):
            self.cursor.expect("key")
            return self.with_index_parameters(exp.PrimaryKeyColumnConstraint())
        if self.cursor.accept("generated"):
            return self._generated()
        return self._references() if self.cursor.at("references") else None

    def parenthesised(self) -> exp.Expression:
        """( a_expr )"""
        self.cursor.expect_kind("(")
        expression = self.grammar.expressions.a_expr()
        self.cursor.expect_kind(")")
        return expression

    def nulls_not_distinct(self) -> bool | None:
        """opt_unique_null_treatment: None when it is left open."""
        if self.cursor.accept("nulls", "not", "distinct"):
            return True
        return False if self.cursor.accept("nulls", "distinct") else None

    def with_index_parameters(self, constraint: exp.Expression) -> exp.Expression:
        """opt_definition OptConsTableSpace"""
        if self.cursor.accept("with"):
            parameters = self.cursor.parenthesised_list(self._index_parameter)
            constraint.set("with_storage", exp.Properties(expressions=parameters))
        if self.cursor.at("using", "index", "tablespace"):
            self.grammar.options.not_allowed("TABLESPACE")
        return constraint

    def _index_parameter(self) -> exp.Property:
        """def_elem: a storage parameter without a namespace."""
        parameter = self.grammar.options.storage_parameter()
        if parameter.args.get("namespace") is not None:
            self.cursor.refuse("a parameter of an index has no namespace", self.cursor.previous)
        return parameter

    def _generated(self) -> exp.Expression:
        always = self.generated_when()
        self.cursor.expect("as")
        if self.cursor.accept("identity"):
            return self.identity(always)
        if not always:
            self.cursor.refuse("for a generated column, GENERATED ALWAYS must be specified")
        computed = exp.ComputedColumnConstraint(this=self.parenthesised())
        computed.set("persisted", self.cursor.accept("stored"))
        if not computed.args["persisted"]:
            self.cursor.accept("virtual")
        return computed

    def generated_when(self) -> bool:
        """generated_when: True for ALWAYS, False for BY DEFAULT."""
        if self.cursor.accept("always"):
            return True
        self.cursor.expect("by", "default")
        return False

    def identity(self, always: bool) -> exp.GeneratedAsIdentityColumnConstraint:
        """OptParenthesizedSeqOptList, of which an identity column takes the settings."""
        options: list[exp.Property] = []
        if self.cursor.accept_kind("("):
            while (
                option := self.grammar.options.sequence_name() or self.grammar.options.sequence_setting()
            ) is not None:
                options.append(option)
            self.cursor.expect_kind(")")
            if not options:
                self.cursor.refuse("the options of an identity column are empty", self.cursor.previous)
        return exp.GeneratedAsIdentityColumnConstraint(this=always, options=options)

    def _references(self) -> exp.Reference:
        """REFERENCES of a column."""
        self.cursor.expect("references")
        reference = exp.Reference(
            this=self.grammar.names.qualified_name(), expressions=self.grammar.options.optional_columns()
        )
        return self.with_key_actions(reference)

    def with_key_actions(self, reference: exp.Reference) -> exp.Reference:
        """key_match key_actions"""
        if self.cursor.accept("match"):
            kind = self.cursor.accept_any(frozenset({"full", "simple"}))
            if kind is None:
                self.cursor.refuse("MATCH is FULL or SIMPLE")
            reference.set("match", kind)
        actions: dict[str, exp.Property] = {}
        while self.cursor.at("on") and self.cursor.next_word() in ("update", "delete"):
            event = str(self.cursor.next_word())
            if event in actions:
                self.cursor.unexpected()
            self.cursor.advance(2)
            actions[event] = self._key_action(event)
        reference.set("options", list(actions.values()))
        return reference

    def _key_action(self, event: str) -> exp.Property:
        words = f"ON {event} ".upper()
        for action in ("NO ACTION", "RESTRICT", "CASCADE"):
            if self.cursor.accept(*action.lower().split()):
                return self.grammar.options.marked(words + action)
        self.cursor.expect("set")
        value = self.cursor.accept_any(frozenset({"null", "default"}))
        if value is None:
            self.cursor.unexpected()
        if event == "update" and self.cursor.at_kind("("):
            self.cursor.refuse("a column list with SET NULL or SET DEFAULT is only for ON DELETE")
        return self.grammar.options.marked(
            f"{words}SET {value}".upper(), expressions=self.grammar.options.optional_columns()
        )

    def _attribute(self, allowed: frozenset[str]) -> exp.Var | None:
        """ConstraintAttr and ConstraintAttributeElem"""
        if self.cursor.word() not in _ATTRIBUTE_WORDS:
            return None
        for attribute in _ATTRIBUTES:
            if self.cursor.at(*attribute.lower().split()):
                if attribute not in allowed:
                    self.cursor.refuse(f"{attribute} does not fit this constraint")
                self.cursor.advance(attribute.count(" ") + 1)
                return self.grammar.constants.keyword(attribute)
        return None

    def attributes(self, allowed: frozenset[str]) -> list[exp.Var]:
        """ConstraintAttributeSpec"""
        attributes: list[exp.Var] = []
        seen: set[str] = set()
        while (attribute := self._attribute(allowed)) is not None:
            attributes.append(attribute)
            seen.add(attribute.name)
            if any(conflict <= seen for conflict in _CONFLICTS):
                self.cursor.refuse("conflicting constraint properties", self.cursor.previous)
        return attributes
