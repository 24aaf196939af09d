"""Columns of tables, and what constrains them."""

from sqlglot import exp

from postgate.validator.grammar.options import OptionGrammar

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


class ColumnGrammar(OptionGrammar):
    """columnDef and ColQualList."""

    def _column_definition(self, exists: bool = False) -> exp.ColumnDef:
        """columnDef: name, type and constraints."""
        column = exp.ColumnDef(this=self._col_id(), kind=self._type_name(), exists=exists)
        if self._accept("storage"):
            column.set("storage", self._word_or_default())
        if self._accept("compression"):
            column.set("compression", self._word_or_default())
        if self._at("options"):
            self._not_allowed("OPTIONS")
        column.set("constraints", self._column_constraints())
        return column

    def _word_or_default(self) -> exp.Expression:
        """ColId or DEFAULT"""
        return self._keyword_node("DEFAULT") if self._accept("default") else self._col_id()

    def _typed_column(self) -> exp.ColumnDef:
        """columnOptions: a column whose type comes from the partitioned table."""
        name = self._col_id()
        self._accept("with", "options")
        return exp.ColumnDef(this=name, constraints=self._column_constraints())

    def _composite_column(self) -> exp.ColumnDef:
        """TableFuncElement: an attribute of a composite type."""
        return exp.ColumnDef(this=self._col_id(), kind=self._type_name(), collate=self._collation())

    def _column_constraints(self) -> list[exp.ColumnConstraint]:
        """ColQualList"""
        constraints = []
        collated = False
        while (constraint := self._column_constraint()) is not None:
            if isinstance(constraint.args["kind"], exp.Collate):
                if collated:
                    self._refuse("multiple COLLATE clauses not allowed", self._prev)
                collated = True
            constraints.append(constraint)
        return constraints

    def _column_constraint(self) -> exp.ColumnConstraint | None:
        """ColConstraint"""
        if self._kind() != "IDENT":
            return None
        if self._accept("constraint"):
            name = self._col_id()
            kind = self._constraint_element()
            if kind is None:
                self._unexpected()
            return exp.ColumnConstraint(this=name, kind=kind)
        kind = self._constraint_element() or self._collation() or self._attribute(_COLUMN_ATTRIBUTES)
        return exp.ColumnConstraint(kind=kind) if kind is not None else None

    def _constraint_element(self) -> exp.Expression | None:
        """ColConstraintElem"""
        if self._accept("not", "null"):
            return exp.NotNullColumnConstraint(no_inherit=self._accept("no", "inherit"))
        if self._accept("null"):
            return exp.NotNullColumnConstraint(allow_null=True)
        if self._accept("default"):
            return exp.DefaultColumnConstraint(this=self._b_expr())
        if self._accept("check"):
            return exp.CheckColumnConstraint(this=self._parenthesised(), no_inherit=self._accept("no", "inherit"))
        if self._accept("unique"):
            unique = exp.UniqueColumnConstraint(nulls_not_distinct=self._nulls_not_distinct())
            return self._with_index_parameters(unique)
        if self._accept("primary"):
            self._expect("key")
            return self._with_index_parameters(exp.PrimaryKeyColumnConstraint())
        if self._accept("generated"):
            return self._generated()
        return self._references() if self._at("references") else None

    def _parenthesised(self) -> exp.Expression:
        """( a_expr )"""
        self._expect_punct("(")
        expression = self._a_expr()
        self._expect_punct(")")
        return expression

    def _nulls_not_distinct(self) -> bool | None:
        """opt_unique_null_treatment: None when it is left open."""
        if self._accept("nulls", "not", "distinct"):
            return True
        return False if self._accept("nulls", "distinct") else None

    def _with_index_parameters(self, constraint: exp.Expression) -> exp.Expression:
        """opt_definition OptConsTableSpace"""
        if self._accept("with"):
            parameters = self._parenthesised_list(self._index_parameter)
            constraint.set("with_storage", exp.Properties(expressions=parameters))
        if self._at("using", "index", "tablespace"):
            self._not_allowed("TABLESPACE")
        return constraint

    def _index_parameter(self) -> exp.Property:
        """def_elem: a storage parameter without a namespace."""
        parameter = self._storage_parameter()
        if parameter.args.get("namespace") is not None:
            self._refuse("a parameter of an index has no namespace", self._prev)
        return parameter

    def _generated(self) -> exp.Expression:
        always = self._generated_when()
        self._expect("as")
        if self._accept("identity"):
            return self._identity(always)
        if not always:
            self._refuse("for a generated column, GENERATED ALWAYS must be specified")
        computed = exp.ComputedColumnConstraint(this=self._parenthesised())
        computed.set("persisted", self._accept("stored"))
        if not computed.args["persisted"]:
            self._accept("virtual")
        return computed

    def _generated_when(self) -> bool:
        """generated_when: True for ALWAYS, False for BY DEFAULT."""
        if self._accept("always"):
            return True
        self._expect("by", "default")
        return False

    def _identity(self, always: bool) -> exp.GeneratedAsIdentityColumnConstraint:
        """OptParenthesizedSeqOptList, of which an identity column takes the settings."""
        options: list[exp.Property] = []
        if self._punct("("):
            while (option := self._sequence_name() or self._sequence_setting()) is not None:
                options.append(option)
            self._expect_punct(")")
            if not options:
                self._refuse("the options of an identity column are empty", self._prev)
        return exp.GeneratedAsIdentityColumnConstraint(this=always, options=options)

    def _references(self) -> exp.Reference:
        """REFERENCES of a column."""
        self._expect("references")
        reference = exp.Reference(this=self._qualified_name(), expressions=self._optional_columns())
        return self._with_key_actions(reference)

    def _with_key_actions(self, reference: exp.Reference) -> exp.Reference:
        """key_match key_actions"""
        if self._accept("match"):
            kind = self._accept_any(frozenset({"full", "simple"}))
            if kind is None:
                self._refuse("MATCH is FULL or SIMPLE")
            reference.set("match", kind)
        actions: dict[str, exp.Property] = {}
        while self._at("on") and self._next_word() in ("update", "delete"):
            event = str(self._next_word())
            if event in actions:
                self._unexpected()
            self._advance(2)
            actions[event] = self._key_action(event)
        reference.set("options", list(actions.values()))
        return reference

    def _key_action(self, event: str) -> exp.Property:
        words = f"ON {event} ".upper()
        for action in ("NO ACTION", "RESTRICT", "CASCADE"):
            if self._accept(*action.lower().split()):
                return self._marked(words + action)
        self._expect("set")
        value = self._accept_any(frozenset({"null", "default"}))
        if value is None:
            self._unexpected()
        if event == "update" and self._at_punct("("):
            self._refuse("a column list with SET NULL or SET DEFAULT is only for ON DELETE")
        return self._marked(f"{words}SET {value}".upper(), expressions=self._optional_columns())

    def _attribute(self, allowed: frozenset[str]) -> exp.Var | None:
        """ConstraintAttr and ConstraintAttributeElem"""
        if self._word() not in _ATTRIBUTE_WORDS:
            return None
        for attribute in _ATTRIBUTES:
            if self._at(*attribute.lower().split()):
                if attribute not in allowed:
                    self._refuse(f"{attribute} does not fit this constraint")
                self._advance(attribute.count(" ") + 1)
                return self._keyword_node(attribute)
        return None

    def _attributes(self, allowed: frozenset[str]) -> list[exp.Var]:
        """ConstraintAttributeSpec"""
        attributes: list[exp.Var] = []
        seen: set[str] = set()
        while (attribute := self._attribute(allowed)) is not None:
            attributes.append(attribute)
            seen.add(attribute.name)
            if any(conflict <= seen for conflict in _CONFLICTS):
                self._refuse("conflicting constraint properties", self._prev)
        return attributes
