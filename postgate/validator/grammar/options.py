"""What many definitions share: behaviours, collations, storage parameters and the options of sequences."""

from typing import Any, NoReturn

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.lists.keywords import RESERVED

_SEQUENCE_TYPES = frozenset({"smallint", "int", "integer", "bigint", "int2", "int4", "int8"})
_SEQUENCE_LIMITS = frozenset({"cycle", "maxvalue", "minvalue"})
_REFUSED_ALTERATIONS = (
    "OWNER TO",
    "SET SCHEMA",
    "SET TABLESPACE",
    "SET ACCESS METHOD",
    "SET WITHOUT CLUSTER",
    "SET WITHOUT OIDS",
    "ENABLE ROW LEVEL SECURITY",
    "DISABLE ROW LEVEL SECURITY",
    "FORCE ROW LEVEL SECURITY",
    "NO FORCE ROW LEVEL SECURITY",
    "ENABLE TRIGGER",
    "ENABLE ALWAYS TRIGGER",
    "ENABLE REPLICA TRIGGER",
    "DISABLE TRIGGER",
    "ENABLE RULE",
    "ENABLE ALWAYS RULE",
    "ENABLE REPLICA RULE",
    "DISABLE RULE",
    "REPLICA IDENTITY",
    "CLUSTER ON",
    "DEPENDS ON EXTENSION",
    "NO DEPENDS ON EXTENSION",
    "NOT OF",
    "OF",
    "OPTIONS",
)
_SEQUENCE_NUMBERS = frozenset({"cache", "maxvalue", "minvalue"})


class Options(Chapter):
    """Clauses without a statement of their own."""

    __slots__ = ()

    def if_exists(self) -> bool:
        return self.cursor.accept("if", "exists")

    def if_not_exists(self) -> bool:
        return self.cursor.accept("if", "not", "exists")

    def cascades(self) -> bool:
        """opt_drop_behavior"""
        if self.cursor.accept("cascade"):
            return True
        self.cursor.accept("restrict")
        return False

    def not_allowed(self, what: str) -> NoReturn:
        """Refuse what PostgreSQL has and a tenant may not use."""
        self.cursor.refuse(f"{what} is not allowed", reason="statement_denied")

    def refuse_alteration(self) -> NoReturn:
        """Refuse the current words of an ALTER, by their name when they are a form of PostgreSQL's."""
        for words in _REFUSED_ALTERATIONS:
            if self.cursor.at(*words.lower().split()):
                self.not_allowed(words)
        self.cursor.unexpected()

    def marked(self, words: str, value: exp.Expression | None = None, **args: Any) -> exp.Property:
        """A part of a definition that sqlglot has no class for, named by its keywords."""
        return exp.Property(this=self.grammar.constants.keyword(words), value=value, **args)

    def collation(self) -> exp.Collate | None:
        """opt_collate_clause"""
        if not self.cursor.accept("collate"):
            return None
        return exp.Collate(expression=self.grammar.names.qualified_name())

    def optional_columns(self) -> list[exp.Identifier]:
        """opt_column_list"""
        return self.grammar.names.column_names() if self.cursor.at_kind("(") else []

    def column_of_table(self) -> tuple[exp.Table | None, exp.Identifier]:
        """any_name whose last part is a column: [[schema.]table.]column"""
        name = self.grammar.names.qualified_name()
        table = name.args.get("db")
        if table is None:
            return None, name.this
        return exp.Table(this=table, db=name.args.get("catalog")), name.this

    def storage_parameters(self) -> exp.Properties:
        """reloptions: ( name [= value], ... ), with an optional namespace before each name."""
        return exp.Properties(expressions=self.cursor.parenthesised_list(self.storage_parameter))

    def storage_parameter(self) -> exp.Property:
        name, namespace = self.grammar.names.col_label(), None
        if self.cursor.accept_kind("."):
            namespace, name = name, self.grammar.names.col_label()
        value = self._parameter_value() if self.cursor.accept_op("=") else None
        return exp.Property(this=name, namespace=namespace, value=value)

    def _parameter_value(self) -> exp.Expression:
        """def_arg, of which a type stands for a single word."""
        if self.cursor.at_kind("SCONST"):
            return self.grammar.constants.string()
        if self.cursor.at_any(RESERVED) or self.grammar.names.at_type_function_name():
            return self.grammar.names.identifier()
        return self.grammar.constants.signed_number()

    def with_storage_parameters(self) -> exp.Properties | None:
        """opt_reloptions; the other WITHs of definitions have a word where this has a parenthesis."""
        if not (self.cursor.at("with") and self.cursor.peek(1).kind == "("):
            return None
        self.cursor.advance()
        return self.storage_parameters()

    def with_data(self) -> bool | None:
        """opt_with_data: whether to fill what is made; None when it is left open."""
        if self.cursor.accept("with", "no", "data"):
            return False
        return True if self.cursor.accept("with", "data") else None

    def access_method(self) -> exp.Identifier | None:
        """USING name"""
        return self.grammar.names.col_id() if self.cursor.accept("using") else None

    def sequence_options(self) -> list[exp.Property]:
        """OptSeqOptList"""
        options = []
        while (option := self._sequence_option()) is not None:
            options.append(option)
        return options

    def _sequence_option(self) -> exp.Property | None:
        """SeqOptElem, without what only pg_dump writes."""
        if self.cursor.accept("as"):
            return self.marked("AS", self._sequence_type())
        if self.cursor.accept("owned", "by"):
            return self._owned_by()
        if self.cursor.at("restart"):
            return self.restart()
        return self.sequence_setting()

    def sequence_name(self) -> exp.Property | None:
        """What an identity column's sequence is called; pg_dump and drizzle-kit write it."""
        return (
            self.marked("SEQUENCE NAME", self.grammar.names.qualified_name())
            if self.cursor.accept("sequence", "name")
            else None
        )

    def sequence_setting(self) -> exp.Property | None:
        """The SeqOptElem that ALTER COLUMN ... SET takes too."""
        if self.cursor.accept("cycle"):
            return self.marked("CYCLE")
        if word := self.cursor.accept_any(_SEQUENCE_NUMBERS):
            return self.marked(word.upper(), self.grammar.constants.signed_number())
        if self.cursor.accept("increment"):
            self.cursor.accept("by")
            return self.marked("INCREMENT", self.grammar.constants.signed_number())
        if self.cursor.accept("start"):
            self.cursor.accept("with")
            return self.marked("START", self.grammar.constants.signed_number())
        if self.cursor.at("no") and self.cursor.next_word() in _SEQUENCE_LIMITS:
            self.cursor.advance()
            return self.marked(f"NO {self.cursor.accept_any(_SEQUENCE_LIMITS)}".upper())
        return None

    def _owned_by(self) -> exp.Property:
        """A column, or NONE alone."""
        table, column = self.column_of_table()
        if table is None and column.name != "none":
            self.cursor.refuse("OWNED BY needs table.column or NONE", self.cursor.previous)
        return self.marked("OWNED BY", table, column=column)

    def restart(self) -> exp.Property:
        """RESTART [[WITH] number]"""
        self.cursor.expect("restart")
        has_number = self.cursor.accept("with") or self.cursor.current.kind in ("ICONST", "FCONST")
        has_number = has_number or self.cursor.at_op("-") or self.cursor.at_op("+")
        return self.marked("RESTART", self.grammar.constants.signed_number() if has_number else None)

    def _sequence_type(self) -> exp.Expression:
        """The three types that a sequence can have."""
        following = self.cursor.peek(1)
        if not self.cursor.at_any(_SEQUENCE_TYPES) or following.kind in ("[", ".", "(") or following.value == "array":
            self.cursor.refuse("a sequence is smallint, integer or bigint")
        return self.grammar.types.type_name()
