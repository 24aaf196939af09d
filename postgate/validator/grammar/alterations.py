"""ALTER of tables and of what resembles them: indexes, views, sequences."""

from collections.abc import Callable

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.grammar.columns import TIMING

_ALTERED = TIMING | {"ENFORCED", "NOT ENFORCED", "NO INHERIT"}
_SETTINGS = frozenset({"cache", "cycle", "increment", "maxvalue", "minvalue", "no", "start"})
_WITH_COLUMNS = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW"})
_MAX_COLUMN_NUMBER = 32_767


class Alterations(Chapter):
    """AlterTableStmt and the forms of RenameStmt that go with it."""

    __slots__ = ()

    def alter_relation(self, kind: str) -> exp.Alter:
        """ALTER of a relation, after the words of its kind; PostgreSQL reads the same commands for every kind."""
        exists = self.grammar.options.if_exists()
        name = self.grammar.from_items.relation_expr() if kind == "TABLE" else self.grammar.names.qualified_name()
        if exists and kind == "INDEX" and self.cursor.at("attach"):
            self.cursor.unexpected()
        return exp.Alter(kind=kind, this=name, exists=exists, actions=self._relation_actions(kind))

    def _relation_actions(self, kind: str) -> list[exp.Expression]:
        if self.cursor.accept("rename"):
            return [self._renamed_in_relation(kind)]
        if self.cursor.at("attach", "partition") or self.cursor.at("detach", "partition"):
            return [self._partition_action(kind)]
        if kind == "SEQUENCE" and (options := self.grammar.options.sequence_options()):
            return [*options]
        return self.cursor.comma_list(self._relation_action)

    def _renamed_in_relation(self, kind: str) -> exp.Property:
        if self.cursor.at("to") or kind not in _WITH_COLUMNS:
            return self.grammar.user_types.renamed_to()
        if kind == "TABLE" and self.cursor.accept("constraint"):
            return self.grammar.user_types.renamed("RENAME CONSTRAINT")
        self.cursor.accept("column")
        return self.grammar.user_types.renamed("RENAME COLUMN")

    def _partition_action(self, kind: str) -> exp.Property:
        """partition_cmd of a table, index_partition_cmd of an index"""
        if kind == "TABLE" and self.cursor.accept("attach", "partition"):
            return self.grammar.options.marked(
                "ATTACH PARTITION", self.grammar.names.qualified_name(), bound=self.grammar.tables.partition_bound()
            )
        if kind == "INDEX" and self.cursor.accept("attach", "partition"):
            return self.grammar.options.marked("ATTACH PARTITION", self.grammar.names.qualified_name())
        if kind != "TABLE":
            self.cursor.unexpected()
        self.cursor.expect("detach", "partition")
        partition = self.grammar.names.qualified_name()
        if self.cursor.at("concurrently"):
            self.cursor.refuse(
                "DETACH PARTITION CONCURRENTLY cannot run inside a transaction", reason="construct_denied"
            )
        if self.cursor.at("finalize"):
            self.grammar.options.not_allowed("DETACH PARTITION FINALIZE")
        return self.grammar.options.marked("DETACH PARTITION", partition)

    def _relation_action(self) -> exp.Expression:
        """alter_table_cmd"""
        if self.cursor.accept("add"):
            return self._added()
        if self.cursor.accept("alter"):
            return self._altered()
        if self.cursor.accept("drop", "constraint"):
            return self.grammar.user_types.dropped("DROP CONSTRAINT")
        if self.cursor.accept("drop"):
            self.cursor.accept("column")
            return self.grammar.user_types.dropped("DROP COLUMN")
        if self.cursor.accept("validate", "constraint"):
            return self.grammar.options.marked("VALIDATE CONSTRAINT", self.grammar.names.col_id())
        return self._property_action()

    def _property_action(self) -> exp.Property:
        """The alter_table_cmd that change the relation as a whole."""
        for words in ("INHERIT", "NO INHERIT"):
            if self.cursor.accept(*words.lower().split()):
                return self.grammar.options.marked(words, self.grammar.names.qualified_name())
        for words in ("SET LOGGED", "SET UNLOGGED"):
            if self.cursor.accept(*words.lower().split()):
                return self.grammar.options.marked(words)
        return self._parameters_action()

    def _parameters_action(self) -> exp.Property:
        """SET or RESET of storage parameters, of a relation or a column."""
        for word in ("set", "reset"):
            if self.cursor.at(word) and self.cursor.peek(1).kind == "(":
                self.cursor.advance()
                return self.grammar.options.marked(word.upper(), self.grammar.options.storage_parameters())
        self.grammar.options.refuse_alteration()

    def _added(self) -> exp.Expression:
        """ADD of a column or a constraint, after ADD."""
        if self.grammar.tables.at_table_constraint():
            return exp.AddConstraint(expressions=[self.grammar.tables.table_constraint()])
        self.cursor.accept("column")
        return self.grammar.columns.column_definition(exists=self.grammar.options.if_not_exists())

    def _altered(self) -> exp.Expression:
        """ALTER of a column or a constraint, after ALTER."""
        if self.cursor.accept("constraint"):
            return self._altered_constraint()
        self.cursor.accept("column")
        if self.cursor.at_kind("ICONST"):
            return self._numbered_column()
        return exp.AlterColumn(this=self.grammar.names.col_id(), actions=self._column_actions())

    def _altered_constraint(self) -> exp.Property:
        action = self.grammar.options.marked("ALTER CONSTRAINT", self.grammar.names.col_id())
        if not self.cursor.accept("inherit"):
            action.set("attributes", self.grammar.columns.attributes(_ALTERED))
        return action

    def _numbered_column(self) -> exp.AlterColumn:
        """A column of an index, which may have no name."""
        number = self.grammar.constants.integer()
        if not 0 < int(number.name) <= _MAX_COLUMN_NUMBER:
            self.cursor.refuse(f"column number must be in range from 1 to {_MAX_COLUMN_NUMBER}", self.cursor.previous)
        self.cursor.expect("set", "statistics")
        return exp.AlterColumn(this=number, actions=[self._statistics_target()])

    def _column_actions(self) -> list[exp.Expression]:
        """What ALTER COLUMN does; only the settings of an identity column are several."""
        if self.cursor.at("type") or self.cursor.at("set", "data"):
            return [self._column_type()]
        if identity := self._identity_actions():
            return identity
        return [self._column_action()]

    def _column_type(self) -> exp.ColumnDef:
        """opt_set_data TYPE Typename opt_collate_clause alter_using"""
        self.cursor.accept("set", "data")
        self.cursor.expect("type")
        column = exp.ColumnDef(kind=self.grammar.types.type_name(), collate=self.grammar.options.collation())
        if self.cursor.accept("using"):
            column.set("using", self.grammar.expressions.a_expr())
        return column

    def _identity_actions(self) -> list[exp.Expression]:
        """alter_identity_column_option_list"""
        actions: list[exp.Expression] = []
        while (action := self._identity_action()) is not None:
            actions.append(action)
        return actions

    def _identity_action(self) -> exp.Property | None:
        if self.cursor.at("restart"):
            return self.grammar.options.restart()
        if self.cursor.accept("set", "generated"):
            words = "ALWAYS" if self.grammar.columns.generated_when() else "BY DEFAULT"
            return self.grammar.options.marked(f"SET GENERATED {words}")
        if self.cursor.at("set") and self.cursor.peek(1).kind == "IDENT" and self.cursor.peek(1).value in _SETTINGS:
            self.cursor.advance()
            option = self.grammar.options.sequence_setting()
            if option is None:
                self.cursor.unexpected()
            return option
        return None

    def _column_action(self) -> exp.Property:
        for words, parse_value in self._column_settings():
            if self.cursor.accept(*words.lower().split()):
                return self.grammar.options.marked(words, parse_value())
        for words in ("SET NOT NULL", "DROP NOT NULL", "DROP DEFAULT"):
            if self.cursor.accept(*words.lower().split()):
                return self.grammar.options.marked(words)
        for words in ("DROP EXPRESSION", "DROP IDENTITY"):
            if self.cursor.accept(*words.lower().split()):
                return self.grammar.options.marked(words, exists=self.grammar.options.if_exists())
        if self.cursor.accept("add", "generated"):
            always = self.grammar.columns.generated_when()
            self.cursor.expect("as", "identity")
            return self.grammar.options.marked("ADD GENERATED", self.grammar.columns.identity(always))
        if self.cursor.accept("set", "statistics"):
            return self._statistics_target()
        return self._parameters_action()

    def _column_settings(self) -> tuple[tuple[str, Callable[[], exp.Expression]], ...]:
        return (
            ("SET DEFAULT", self.grammar.expressions.a_expr),
            ("SET EXPRESSION AS", self.grammar.columns.parenthesised),
            ("SET STORAGE", self.grammar.columns.word_or_default),
            ("SET COMPRESSION", self.grammar.columns.word_or_default),
        )

    def _statistics_target(self) -> exp.Property:
        """set_statistics_value, after SET STATISTICS"""
        if self.cursor.accept("default"):
            return self.grammar.options.marked("SET STATISTICS", self.grammar.constants.keyword("DEFAULT"))
        negative = self.cursor.accept_op("-")
        if not negative:
            self.cursor.accept_op("+")
        number = self.grammar.constants.integer()
        return self.grammar.options.marked("SET STATISTICS", exp.Neg(this=number) if negative else number)

    def alter_statistics(self) -> exp.Alter:
        """AlterStatsStmt and its rename, after STATISTICS."""
        exists = self.grammar.options.if_exists()
        name = self.grammar.names.qualified_name()
        if not exists and self.cursor.accept("rename"):
            action = self.grammar.user_types.renamed_to()
        elif self.cursor.accept("set", "statistics"):
            action = self._statistics_target()
        else:
            self.grammar.options.refuse_alteration()
        return exp.Alter(kind="STATISTICS", this=name, exists=exists, actions=[action])
