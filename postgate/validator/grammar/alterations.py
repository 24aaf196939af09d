"""ALTER of tables and of what resembles them: indexes, views, sequences."""

from collections.abc import Callable

from sqlglot import exp

from postgate.validator.grammar.columns import TIMING
from postgate.validator.grammar.user_types import UserTypeGrammar

_ALTERED = TIMING | {"ENFORCED", "NOT ENFORCED", "NO INHERIT"}
_SETTINGS = frozenset({"cache", "cycle", "increment", "maxvalue", "minvalue", "no", "start"})
_WITH_COLUMNS = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW"})
_LARGEST_COLUMN_NUMBER = 32_767


class AlterationGrammar(UserTypeGrammar):
    """AlterTableStmt and the forms of RenameStmt that go with it."""

    def _alter_relation(self, kind: str) -> exp.Alter:
        """ALTER of a relation, after the words of its kind; PostgreSQL reads the same commands for every kind."""
        exists = self._if_exists()
        name = self._relation_expr() if kind == "TABLE" else self._qualified_name()
        if exists and kind == "INDEX" and self._at("attach"):
            self._unexpected()
        return exp.Alter(kind=kind, this=name, exists=exists, actions=self._relation_actions(kind))

    def _relation_actions(self, kind: str) -> list[exp.Expression]:
        if self._accept("rename"):
            return [self._renamed_in_relation(kind)]
        if self._at("attach", "partition") or self._at("detach", "partition"):
            return [self._partition_action(kind)]
        if kind == "SEQUENCE" and (options := self._sequence_options()):
            return [*options]
        return self._list(self._relation_action)

    def _renamed_in_relation(self, kind: str) -> exp.Property:
        if self._at("to") or kind not in _WITH_COLUMNS:
            return self._renamed_to()
        if kind == "TABLE" and self._accept("constraint"):
            return self._renamed("RENAME CONSTRAINT")
        self._accept("column")
        return self._renamed("RENAME COLUMN")

    def _partition_action(self, kind: str) -> exp.Property:
        """partition_cmd of a table, index_partition_cmd of an index"""
        if kind == "TABLE" and self._accept("attach", "partition"):
            return self._marked("ATTACH PARTITION", self._qualified_name(), bound=self._partition_bound())
        if kind == "INDEX" and self._accept("attach", "partition"):
            return self._marked("ATTACH PARTITION", self._qualified_name())
        if kind != "TABLE":
            self._unexpected()
        self._expect("detach", "partition")
        partition = self._qualified_name()
        if self._at("concurrently"):
            self._refuse("DETACH PARTITION CONCURRENTLY cannot run inside a transaction")
        if self._at("finalize"):
            self._not_allowed("DETACH PARTITION FINALIZE")
        return self._marked("DETACH PARTITION", partition)

    def _relation_action(self) -> exp.Expression:
        """alter_table_cmd"""
        if self._accept("add"):
            return self._added()
        if self._accept("alter"):
            return self._altered()
        if self._accept("drop", "constraint"):
            return self._dropped("DROP CONSTRAINT")
        if self._accept("drop"):
            self._accept("column")
            return self._dropped("DROP COLUMN")
        if self._accept("validate", "constraint"):
            return self._marked("VALIDATE CONSTRAINT", self._col_id())
        return self._property_action()

    def _property_action(self) -> exp.Property:
        """The alter_table_cmd that change the relation as a whole."""
        for words in ("INHERIT", "NO INHERIT"):
            if self._accept(*words.lower().split()):
                return self._marked(words, self._qualified_name())
        for words in ("SET LOGGED", "SET UNLOGGED"):
            if self._accept(*words.lower().split()):
                return self._marked(words)
        return self._parameters_action()

    def _parameters_action(self) -> exp.Property:
        """SET or RESET of storage parameters, of a relation or a column."""
        for word in ("set", "reset"):
            if self._at(word) and self._peek(1).kind == "(":
                self._advance()
                return self._marked(word.upper(), self._storage_parameters())
        self._refuse_alteration()

    def _added(self) -> exp.Expression:
        """ADD of a column or a constraint, after ADD."""
        if self._at_table_constraint():
            return exp.AddConstraint(expressions=[self._table_constraint()])
        self._accept("column")
        return self._column_definition(exists=self._if_not_exists())

    def _altered(self) -> exp.Expression:
        """ALTER of a column or a constraint, after ALTER."""
        if self._accept("constraint"):
            return self._altered_constraint()
        self._accept("column")
        if self._at_punct("ICONST"):
            return self._numbered_column()
        return exp.AlterColumn(this=self._col_id(), actions=self._column_actions())

    def _altered_constraint(self) -> exp.Property:
        action = self._marked("ALTER CONSTRAINT", self._col_id())
        if not self._accept("inherit"):
            action.set("attributes", self._attributes(_ALTERED))
        return action

    def _numbered_column(self) -> exp.AlterColumn:
        """A column of an index, which may have no name."""
        number = self._integer()
        if not 0 < int(number.name) <= _LARGEST_COLUMN_NUMBER:
            self._refuse(f"column number must be in range from 1 to {_LARGEST_COLUMN_NUMBER}", self._prev)
        self._expect("set", "statistics")
        return exp.AlterColumn(this=number, actions=[self._statistics_target()])

    def _column_actions(self) -> list[exp.Expression]:
        """What ALTER COLUMN does; only the settings of an identity column are several."""
        if self._at("type") or self._at("set", "data"):
            return [self._column_type()]
        if identity := self._identity_actions():
            return identity
        return [self._column_action()]

    def _column_type(self) -> exp.ColumnDef:
        """opt_set_data TYPE Typename opt_collate_clause alter_using"""
        self._accept("set", "data")
        self._expect("type")
        column = exp.ColumnDef(kind=self._type_name(), collate=self._collation())
        if self._accept("using"):
            column.set("using", self._a_expr())
        return column

    def _identity_actions(self) -> list[exp.Expression]:
        """alter_identity_column_option_list"""
        actions: list[exp.Expression] = []
        while (action := self._identity_action()) is not None:
            actions.append(action)
        return actions

    def _identity_action(self) -> exp.Property | None:
        if self._at("restart"):
            return self._restart()
        if self._accept("set", "generated"):
            words = "ALWAYS" if self._generated_when() else "BY DEFAULT"
            return self._marked(f"SET GENERATED {words}")
        if self._at("set") and self._peek(1).kind == "IDENT" and self._peek(1).value in _SETTINGS:
            self._advance()
            option = self._sequence_setting()
            if option is None:
                self._unexpected()
            return option
        return None

    def _column_action(self) -> exp.Property:
        for words, parse_value in self._column_settings():
            if self._accept(*words.lower().split()):
                return self._marked(words, parse_value())
        for words in ("SET NOT NULL", "DROP NOT NULL", "DROP DEFAULT"):
            if self._accept(*words.lower().split()):
                return self._marked(words)
        for words in ("DROP EXPRESSION", "DROP IDENTITY"):
            if self._accept(*words.lower().split()):
                return self._marked(words, exists=self._if_exists())
        if self._accept("add", "generated"):
            always = self._generated_when()
            self._expect("as", "identity")
            return self._marked("ADD GENERATED", self._identity(always))
        if self._accept("set", "statistics"):
            return self._statistics_target()
        return self._parameters_action()

    def _column_settings(self) -> tuple[tuple[str, Callable[[], exp.Expression]], ...]:
        return (
            ("SET DEFAULT", self._a_expr),
            ("SET EXPRESSION AS", self._parenthesised),
            ("SET STORAGE", self._word_or_default),
            ("SET COMPRESSION", self._word_or_default),
        )

    def _statistics_target(self) -> exp.Property:
        """set_statistics_value, after SET STATISTICS"""
        if self._accept("default"):
            return self._marked("SET STATISTICS", self._keyword_node("DEFAULT"))
        negative = self._accept_op("-")
        if not negative:
            self._accept_op("+")
        number = self._integer()
        return self._marked("SET STATISTICS", exp.Neg(this=number) if negative else number)

    def _alter_statistics(self) -> exp.Alter:
        """AlterStatsStmt and its rename, after STATISTICS."""
        exists = self._if_exists()
        name = self._qualified_name()
        if not exists and self._accept("rename"):
            action = self._renamed_to()
        elif self._accept("set", "statistics"):
            action = self._statistics_target()
        else:
            self._refuse_alteration()
        return exp.Alter(kind="STATISTICS", this=name, exists=exists, actions=[action])
