"""Enumerations, composite types, ranges and domains."""

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_CHECK = frozenset({"NOT VALID", "NO INHERIT"})
_RANGE_FUNCTIONS = frozenset({"canonical", "subtype_diff"})


class UserTypes(Chapter):
    """CREATE and ALTER of TYPE and DOMAIN."""

    __slots__ = ()

    def create_type(self) -> exp.Create:
        """The CREATE TYPE forms of DefineStmt, after TYPE."""
        create = exp.Create(kind="TYPE", this=self.grammar.names.qualified_name())
        if not self.cursor.accept("as"):
            self.grammar.options.not_allowed("CREATE TYPE of a base type")
        if self.cursor.accept("enum"):
            create.set("form", "ENUM")
            create.set("expressions", self.grammar.tables.elements(self.grammar.constants.string))
        elif self.cursor.accept("range"):
            create.set("form", "RANGE")
            create.set("expressions", self.cursor.parenthesised_list(self._range_option))
        else:
            create.set("form", "COMPOSITE")
            create.set("expressions", self.grammar.tables.elements(self.grammar.columns.composite_column))
        return create

    def _range_option(self) -> exp.Property:
        """An option of AS RANGE, by what it names."""
        name = self.grammar.names.col_label()
        self.cursor.expect_op("=")
        return exp.Property(this=name, value=self._range_value(name.name))

    def _range_value(self, option: str) -> exp.Expression:
        if option == "subtype":
            return self.grammar.types.type_name()
        if option in _RANGE_FUNCTIONS:
            return self._function_as_call(self.type_like_name())
        if option == "subtype_opclass":
            return exp.Opclass(expression=self.type_like_name())
        if option == "collation":
            return exp.Collate(expression=self.type_like_name())
        if option == "multirange_type_name":
            return self.type_like_name()
        self.cursor.refuse(f'unknown option "{option}" of a range type', self.cursor.previous)

    def type_like_name(self) -> exp.Table:
        """A name that the grammar reads as a type: type_function_name with qualifiers, without modifiers."""
        if not self.grammar.names.at_type_function_name():
            self.cursor.unexpected()
        parts = [self.grammar.names.identifier()]
        while self.cursor.accept_kind("."):
            parts.append(self.grammar.names.col_label())
        return self.grammar.names.dotted(parts)

    def _function_as_call(self, name: exp.Table) -> exp.Expression:
        """A function that is only named, as the call that PostgreSQL will make."""
        call = exp.Anonymous(this=name.this, expressions=[])
        schema = name.args.get("db")
        if name.args.get("catalog") is not None:
            self.cursor.refuse("a name may not be qualified with a database", self.cursor.previous)
        return exp.Dot(this=schema, expression=call) if schema is not None else call

    def create_domain(self) -> exp.Create:
        """CreateDomainStmt, after DOMAIN."""
        name = self.grammar.names.qualified_name()
        self.cursor.accept("as")
        column = exp.ColumnDef(
            kind=self.grammar.types.type_name(), constraints=self.grammar.columns.column_constraints()
        )
        return exp.Create(kind="DOMAIN", this=name, expressions=[column])

    def alter_type(self) -> exp.Alter:
        """AlterEnumStmt, AlterCompositeTypeStmt and the renames, after TYPE."""
        name = self.grammar.names.qualified_name()
        if self.cursor.at("owner") or self.cursor.at("set"):
            self.grammar.options.refuse_alteration()
        if self.cursor.accept("add", "value"):
            actions = [self._added_value()]
        elif self.cursor.accept("rename"):
            actions = [self._renamed_in_type()]
        else:
            actions = self.cursor.comma_list(self._attribute_action)
        return exp.Alter(kind="TYPE", this=name, actions=actions)

    def _added_value(self) -> exp.Property:
        exists = self.grammar.options.if_not_exists()
        action = self.grammar.options.marked("ADD VALUE", self.grammar.constants.string(), exists=exists)
        for place in ("before", "after"):
            if self.cursor.accept(place):
                action.set(place, self.grammar.constants.string())
                break
        return action

    def _renamed_in_type(self) -> exp.Property:
        if self.cursor.accept("value"):
            value = self.grammar.constants.string()
            self.cursor.expect("to")
            return self.grammar.options.marked("RENAME VALUE", value, to=self.grammar.constants.string())
        if self.cursor.accept("attribute"):
            action = self.renamed("RENAME ATTRIBUTE")
            action.set("cascade", self.grammar.options.cascades())
            return action
        return self.renamed_to()

    def renamed_to(self) -> exp.Property:
        """RENAME TO, after RENAME."""
        self.cursor.expect("to")
        return self.grammar.options.marked("RENAME TO", to=self.grammar.names.col_id())

    def _attribute_action(self) -> exp.Property:
        """alter_type_cmd"""
        if self.cursor.accept("add", "attribute"):
            return self.grammar.options.marked(
                "ADD ATTRIBUTE", self.grammar.columns.composite_column(), cascade=self.grammar.options.cascades()
            )
        if self.cursor.accept("drop", "attribute"):
            exists = self.grammar.options.if_exists()
            return self.grammar.options.marked(
                "DROP ATTRIBUTE", self.grammar.names.col_id(), exists=exists, cascade=self.grammar.options.cascades()
            )
        self.cursor.expect("alter", "attribute")
        name = self.grammar.names.col_id()
        self.cursor.accept("set", "data")
        self.cursor.expect("type")
        column = exp.ColumnDef(this=name, kind=self.grammar.types.type_name(), collate=self.grammar.options.collation())
        return self.grammar.options.marked("ALTER ATTRIBUTE", column, cascade=self.grammar.options.cascades())

    def alter_domain(self) -> exp.Alter:
        """AlterDomainStmt and the renames, after DOMAIN."""
        name = self.grammar.names.qualified_name()
        return exp.Alter(kind="DOMAIN", this=name, actions=[self._domain_action()])

    def _domain_action(self) -> exp.Expression:
        if self.cursor.accept("set", "default"):
            return self.grammar.options.marked("SET DEFAULT", self.grammar.expressions.a_expr())
        for words in ("SET NOT NULL", "DROP NOT NULL", "DROP DEFAULT"):
            if self.cursor.accept(*words.lower().split()):
                return self.grammar.options.marked(words)
        if self.cursor.accept("add"):
            return exp.AddConstraint(expressions=[self._domain_constraint()])
        if self.cursor.accept("drop", "constraint"):
            return self.dropped("DROP CONSTRAINT")
        if self.cursor.accept("validate", "constraint"):
            return self.grammar.options.marked("VALIDATE CONSTRAINT", self.grammar.names.col_id())
        if self.cursor.accept("rename", "constraint"):
            return self.renamed("RENAME CONSTRAINT")
        if self.cursor.accept("rename"):
            return self.renamed_to()
        self.grammar.options.refuse_alteration()

    def _domain_constraint(self) -> exp.Constraint:
        """DomainConstraint"""
        name = self.grammar.names.col_id() if self.cursor.accept("constraint") else None
        if self.cursor.accept("not", "null"):
            kind: exp.Expression = exp.NotNullColumnConstraint()
            return exp.Constraint(this=name, expressions=[kind])
        self.cursor.expect("check")
        kind = exp.CheckColumnConstraint(this=self.grammar.columns.parenthesised())
        return exp.Constraint(this=name, expressions=self.grammar.tables.with_attributes(kind, _CHECK))

    def dropped(self, words: str) -> exp.Property:
        """[IF EXISTS] name and behaviour, after DROP and what is dropped."""
        exists = self.grammar.options.if_exists()
        return self.grammar.options.marked(
            words, self.grammar.names.col_id(), exists=exists, cascade=self.grammar.options.cascades()
        )

    def renamed(self, words: str) -> exp.Property:
        """old TO new"""
        old = self.grammar.names.col_id()
        self.cursor.expect("to")
        return self.grammar.options.marked(words, old, to=self.grammar.names.col_id())
