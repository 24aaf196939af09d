"""Enumerations, composite types, ranges and domains."""

from sqlglot import exp

from postgate.validator.grammar.tables import TableGrammar

_CHECK = frozenset({"NOT VALID", "NO INHERIT"})
_RANGE_FUNCTIONS = frozenset({"canonical", "subtype_diff"})


class UserTypeGrammar(TableGrammar):
    """CREATE and ALTER of TYPE and DOMAIN."""

    def _create_type(self) -> exp.Create:
        """The CREATE TYPE forms of DefineStmt, after TYPE."""
        create = exp.Create(kind="TYPE", this=self._qualified_name())
        if not self._accept("as"):
            self._not_allowed("CREATE TYPE of a base type")
        if self._accept("enum"):
            create.set("form", "ENUM")
            create.set("expressions", self._elements(self._string))
        elif self._accept("range"):
            create.set("form", "RANGE")
            create.set("expressions", self._parenthesised_list(self._range_option))
        else:
            create.set("form", "COMPOSITE")
            create.set("expressions", self._elements(self._composite_column))
        return create

    def _range_option(self) -> exp.Property:
        """An option of AS RANGE, by what it names."""
        name = self._col_label()
        self._expect_op("=")
        return exp.Property(this=name, value=self._range_value(name.name))

    def _range_value(self, option: str) -> exp.Expression:
        if option == "subtype":
            return self._type_name()
        if option in _RANGE_FUNCTIONS:
            return self._function_as_call(self._type_like_name())
        if option == "subtype_opclass":
            return exp.Opclass(expression=self._type_like_name())
        if option == "collation":
            return exp.Collate(expression=self._type_like_name())
        if option == "multirange_type_name":
            return self._type_like_name()
        self._refuse(f'unknown option "{option}" of a range type', self._prev)

    def _type_like_name(self) -> exp.Table:
        """A name that the grammar reads as a type: type_function_name with qualifiers, without modifiers."""
        if not self._at_type_function_name():
            self._unexpected()
        parts = [self._identifier()]
        while self._punct("."):
            parts.append(self._col_label())
        return self._dotted(parts)

    def _function_as_call(self, name: exp.Table) -> exp.Expression:
        """A function that is only named, as the call that PostgreSQL will make."""
        call = exp.Anonymous(this=name.this, expressions=[])
        schema = name.args.get("db")
        if name.args.get("catalog") is not None:
            self._refuse("a name may not be qualified with a database", self._prev)
        return exp.Dot(this=schema, expression=call) if schema is not None else call

    def _create_domain(self) -> exp.Create:
        """CreateDomainStmt, after DOMAIN."""
        name = self._qualified_name()
        self._accept("as")
        column = exp.ColumnDef(kind=self._type_name(), constraints=self._column_constraints())
        return exp.Create(kind="DOMAIN", this=name, expressions=[column])

    def _alter_type(self) -> exp.Alter:
        """AlterEnumStmt, AlterCompositeTypeStmt and the renames, after TYPE."""
        name = self._qualified_name()
        if self._at("owner") or self._at("set"):
            self._refuse_alteration()
        if self._accept("add", "value"):
            actions = [self._added_value()]
        elif self._accept("rename"):
            actions = [self._renamed_in_type()]
        else:
            actions = self._list(self._attribute_action)
        return exp.Alter(kind="TYPE", this=name, actions=actions)

    def _added_value(self) -> exp.Property:
        exists = self._if_not_exists()
        action = self._marked("ADD VALUE", self._string(), exists=exists)
        for place in ("before", "after"):
            if self._accept(place):
                action.set(place, self._string())
                break
        return action

    def _renamed_in_type(self) -> exp.Property:
        if self._accept("value"):
            value = self._string()
            self._expect("to")
            return self._marked("RENAME VALUE", value, to=self._string())
        if self._accept("attribute"):
            action = self._renamed("RENAME ATTRIBUTE")
            action.set("cascade", self._cascades())
            return action
        return self._renamed_to()

    def _renamed_to(self) -> exp.Property:
        """RENAME TO, after RENAME."""
        self._expect("to")
        return self._marked("RENAME TO", to=self._col_id())

    def _attribute_action(self) -> exp.Property:
        """alter_type_cmd"""
        if self._accept("add", "attribute"):
            return self._marked("ADD ATTRIBUTE", self._composite_column(), cascade=self._cascades())
        if self._accept("drop", "attribute"):
            exists = self._if_exists()
            return self._marked("DROP ATTRIBUTE", self._col_id(), exists=exists, cascade=self._cascades())
        self._expect("alter", "attribute")
        name = self._col_id()
        self._accept("set", "data")
        self._expect("type")
        column = exp.ColumnDef(this=name, kind=self._type_name(), collate=self._collation())
        return self._marked("ALTER ATTRIBUTE", column, cascade=self._cascades())

    def _alter_domain(self) -> exp.Alter:
        """AlterDomainStmt and the renames, after DOMAIN."""
        name = self._qualified_name()
        return exp.Alter(kind="DOMAIN", this=name, actions=[self._domain_action()])

    def _domain_action(self) -> exp.Expression:
        if self._accept("set", "default"):
            return self._marked("SET DEFAULT", self._a_expr())
        for words in ("SET NOT NULL", "DROP NOT NULL", "DROP DEFAULT"):
            if self._accept(*words.lower().split()):
                return self._marked(words)
        if self._accept("add"):
            return exp.AddConstraint(expressions=[self._domain_constraint()])
        if self._accept("drop", "constraint"):
            return self._dropped("DROP CONSTRAINT")
        if self._accept("validate", "constraint"):
            return self._marked("VALIDATE CONSTRAINT", self._col_id())
        if self._accept("rename", "constraint"):
            return self._renamed("RENAME CONSTRAINT")
        if self._accept("rename"):
            return self._renamed_to()
        self._refuse_alteration()

    def _domain_constraint(self) -> exp.Constraint:
        """DomainConstraint"""
        name = self._col_id() if self._accept("constraint") else None
        if self._accept("not", "null"):
            kind: exp.Expression = exp.NotNullColumnConstraint()
            return exp.Constraint(this=name, expressions=[kind])
        self._expect("check")
        kind = exp.CheckColumnConstraint(this=self._parenthesised())
        return exp.Constraint(this=name, expressions=self._with_attributes(kind, _CHECK))

    def _dropped(self, words: str) -> exp.Property:
        """[IF EXISTS] name and behaviour, after DROP and what is dropped."""
        exists = self._if_exists()
        return self._marked(words, self._col_id(), exists=exists, cascade=self._cascades())

    def _renamed(self, words: str) -> exp.Property:
        """old TO new"""
        old = self._col_id()
        self._expect("to")
        return self._marked(words, old, to=self._col_id())
