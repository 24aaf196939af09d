"""What many definitions share: behaviours, collations, storage parameters and the options of sequences."""

from typing import Any, NoReturn

from sqlglot import exp

from postgate.validator.grammar.dml import DmlGrammar
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


class OptionGrammar(DmlGrammar):
    """Clauses without a statement of their own."""

    def _if_exists(self) -> bool:
        return self._accept("if", "exists")

    def _if_not_exists(self) -> bool:
        return self._accept("if", "not", "exists")

    def _cascades(self) -> bool:
        """opt_drop_behavior"""
        if self._accept("cascade"):
            return True
        self._accept("restrict")
        return False

    def _not_allowed(self, what: str) -> NoReturn:
        """Refuse what PostgreSQL has and a tenant may not use."""
        self._refuse(f"{what} is not allowed")

    def _refuse_alteration(self) -> NoReturn:
        """Refuse the current words of an ALTER, by their name when they are a form of PostgreSQL's."""
        for words in _REFUSED_ALTERATIONS:
            if self._at(*words.lower().split()):
                self._not_allowed(words)
        self._unexpected()

    def _marked(self, words: str, value: exp.Expression | None = None, **args: Any) -> exp.Property:
        """A part of a definition that sqlglot has no class for, named by its keywords."""
        return exp.Property(this=self._keyword_node(words), value=value, **args)

    def _collation(self) -> exp.Collate | None:
        """opt_collate_clause"""
        if not self._accept("collate"):
            return None
        return exp.Collate(expression=self._qualified_name())

    def _optional_columns(self) -> list[exp.Identifier]:
        """opt_column_list"""
        return self._column_names() if self._at_punct("(") else []

    def _column_of_table(self) -> tuple[exp.Table | None, exp.Identifier]:
        """any_name whose last part is a column: [[schema.]table.]column"""
        name = self._qualified_name()
        table = name.args.get("db")
        if table is None:
            return None, name.this
        return exp.Table(this=table, db=name.args.get("catalog")), name.this

    def _storage_parameters(self) -> exp.Properties:
        """reloptions: ( name [= value], ... ), with an optional namespace before each name."""
        return exp.Properties(expressions=self._parenthesised_list(self._storage_parameter))

    def _storage_parameter(self) -> exp.Property:
        name, namespace = self._col_label(), None
        if self._punct("."):
            namespace, name = name, self._col_label()
        value = self._parameter_value() if self._accept_op("=") else None
        return exp.Property(this=name, namespace=namespace, value=value)

    def _parameter_value(self) -> exp.Expression:
        """def_arg, of which a type stands for a single word."""
        if self._at_punct("SCONST"):
            return self._string()
        if self._at_any(RESERVED) or self._at_type_function_name():
            return self._identifier()
        return self._signed_number()

    def _with_storage_parameters(self) -> exp.Properties | None:
        """opt_reloptions; the other WITHs of definitions have a word where this has a parenthesis."""
        if not (self._at("with") and self._peek(1).kind == "("):
            return None
        self._advance()
        return self._storage_parameters()

    def _with_data(self) -> bool | None:
        """opt_with_data: whether to fill what is made; None when it is left open."""
        if self._accept("with", "no", "data"):
            return False
        return True if self._accept("with", "data") else None

    def _access_method(self) -> exp.Identifier | None:
        """USING name"""
        return self._col_id() if self._accept("using") else None

    def _sequence_options(self) -> list[exp.Property]:
        """OptSeqOptList"""
        options = []
        while (option := self._sequence_option()) is not None:
            options.append(option)
        return options

    def _sequence_option(self) -> exp.Property | None:
        """SeqOptElem, without what only pg_dump writes."""
        if self._accept("as"):
            return self._marked("AS", self._sequence_type())
        if self._accept("owned", "by"):
            return self._owned_by()
        if self._at("restart"):
            return self._restart()
        return self._sequence_setting()

    def _sequence_name(self) -> exp.Property | None:
        """What an identity column's sequence is called; pg_dump and drizzle-kit write it."""
        return self._marked("SEQUENCE NAME", self._qualified_name()) if self._accept("sequence", "name") else None

    def _sequence_setting(self) -> exp.Property | None:
        """The SeqOptElem that ALTER COLUMN ... SET takes too."""
        if self._accept("cycle"):
            return self._marked("CYCLE")
        if word := self._accept_any(_SEQUENCE_NUMBERS):
            return self._marked(word.upper(), self._signed_number())
        if self._accept("increment"):
            self._accept("by")
            return self._marked("INCREMENT", self._signed_number())
        if self._accept("start"):
            self._accept("with")
            return self._marked("START", self._signed_number())
        if self._at("no") and self._next_word() in _SEQUENCE_LIMITS:
            self._advance()
            return self._marked(f"NO {self._accept_any(_SEQUENCE_LIMITS)}".upper())
        return None

    def _owned_by(self) -> exp.Property:
        """A column, or NONE alone."""
        table, column = self._column_of_table()
        if table is None and column.name != "none":
            self._refuse("OWNED BY needs table.column or NONE", self._prev)
        return self._marked("OWNED BY", table, column=column)

    def _restart(self) -> exp.Property:
        """RESTART [[WITH] number]"""
        self._expect("restart")
        given = self._accept("with") or self._kind() in ("ICONST", "FCONST")
        given = given or self._at_op("-") or self._at_op("+")
        return self._marked("RESTART", self._signed_number() if given else None)

    def _sequence_type(self) -> exp.Expression:
        """The three types that a sequence can have."""
        following = self._peek(1)
        if not self._at_any(_SEQUENCE_TYPES) or following.kind in ("[", ".", "(") or following.value == "array":
            self._refuse("a sequence is smallint, integer or bigint")
        return self._type_name()
