"""Types, in every spelling (gram.y, Typename; manual, "Data Types")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

# Types of one word, without modifiers.
_PLAIN = {
    "int": "int4",
    "integer": "int4",
    "smallint": "int2",
    "bigint": "int8",
    "real": "float4",
    "boolean": "bool",
    "json": "json",
}
_WITH_MODIFIERS = frozenset({"decimal", "dec", "numeric"})
_CHARACTER = frozenset({"character", "char", "varchar", "nchar", "national"})
_DATETIME = frozenset({"time", "timestamp"})
_BUILT_IN = frozenset(_PLAIN) | _WITH_MODIFIERS | _CHARACTER | _DATETIME | {"bit", "float", "interval"}
_FIELDS = ("year", "month", "day", "hour", "minute", "second")
# What may follow TO after each field (opt_interval).
_FIELD_ENDS = {
    "year": ("month",),
    "day": ("hour", "minute", "second"),
    "hour": ("minute", "second"),
    "minute": ("second",),
}
_MAX_REAL_PRECISION = 24
_MAX_FLOAT_PRECISION = 53


class Types(Chapter):
    """Type names; each is an exp.DataType with the canonical name in `kind`."""

    __slots__ = ()

    def type_name(self) -> exp.DataType:
        """Typename, without SETOF, which only function definitions have a use for."""
        if self.cursor.at("setof"):
            self.cursor.refuse("SETOF is not allowed here")
        simple = self.simple_type_name()
        self._array_bounds(simple)
        return simple

    def _array_bounds(self, data_type: exp.DataType) -> None:
        """[ ], [n] and ARRAY; PostgreSQL reads the bounds and ignores them."""
        bounds = []
        if self.cursor.accept("array"):
            data_type.set("nested", True)
            if self.cursor.accept_kind("["):
                bounds.append(self.grammar.constants.integer())
                self.cursor.expect_kind("]")
        else:
            while self.cursor.accept_kind("["):
                data_type.set("nested", True)
                if not self.cursor.at_kind("]"):
                    bounds.append(self.grammar.constants.integer())
                self.cursor.expect_kind("]")
        data_type.set("bounds", bounds)

    def at_built_in_type(self) -> bool:
        """Whether a type with a syntax of its own comes next, rather than a name."""
        return self.cursor.at_any(_BUILT_IN) or self.cursor.at("double", "precision")

    def simple_type_name(self) -> exp.DataType:
        """SimpleTypename"""
        if self.at_built_in_type():
            return self.built_in_type(literal=False)
        return self._generic_type()

    def _generic_type(self) -> exp.DataType:
        """GenericType: a name, qualified or not, with optional modifiers."""
        parts = [self.grammar.names.type_function_name()]
        while self.cursor.accept_kind("."):
            parts.append(self.grammar.names.col_label())
        return self.data_type(self.type_kind(parts), self._type_modifiers())

    def type_kind(self, parts: list[exp.Identifier]) -> exp.Expression:
        if len(parts) > 2:
            self.cursor.refuse("a type may not be qualified with a database", self.cursor.previous)
        return parts[0] if len(parts) == 1 else exp.Dot(this=parts[0], expression=parts[1])

    def _type_modifiers(self) -> list[exp.Expression]:
        """opt_type_modifiers"""
        return self.cursor.parenthesised_list(self.grammar.expressions.a_expr) if self.cursor.at_kind("(") else []

    def data_type(self, kind: exp.Expression, modifiers: list[exp.Expression] | None = None) -> exp.DataType:
        return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=kind, expressions=modifiers or [])

    def built_in_type(self, literal: bool) -> exp.DataType:
        """A type with a syntax of its own; `literal` when a constant of it follows (ConstTypename)."""
        token = self.cursor.current
        word = token.value
        self.cursor.advance()
        name, modifiers = self._named_built_in(word, literal)
        return self.data_type(exp.Identifier(this=name, quoted=False, pos=token.start), modifiers)

    def _named_built_in(self, word: str, literal: bool) -> tuple[str, list[exp.Expression]]:
        """The canonical name and the modifiers, after the first word."""
        if word in _PLAIN:
            return _PLAIN[word], []
        if word in _WITH_MODIFIERS:
            return "numeric", self._type_modifiers()
        if word == "double":
            self.cursor.expect("precision")
            return "float8", []
        if word == "float":
            return self._float()
        if word == "bit":
            return ("varbit" if self.cursor.accept("varying") else "bit"), self._type_modifiers()
        if word in _CHARACTER:
            return self._character(word)
        if word in _DATETIME:
            return self._datetime(word)
        return "interval", self._interval_modifiers(literal)

    def _float(self) -> tuple[str, list[exp.Expression]]:
        if not self.cursor.accept_kind("("):
            return "float8", []
        precision = self.grammar.constants.integer()
        self.cursor.expect_kind(")")
        if not 1 <= int(precision.name) <= _MAX_FLOAT_PRECISION:
            self.cursor.refuse("precision for type float must be from 1 to 53", self.cursor.previous)
        return ("float4" if int(precision.name) <= _MAX_REAL_PRECISION else "float8"), [precision]

    def _character(self, word: str) -> tuple[str, list[exp.Expression]]:
        if word == "national" and not (self.cursor.accept("character") or self.cursor.accept("char")):
            self.cursor.unexpected()
        varying = word == "varchar" or self.cursor.accept("varying")
        length = []
        if self.cursor.accept_kind("("):
            length.append(self.grammar.constants.integer())
            self.cursor.expect_kind(")")
        return ("varchar" if varying else "bpchar"), [*length]

    def _datetime(self, word: str) -> tuple[str, list[exp.Expression]]:
        precision = []
        if self.cursor.accept_kind("("):
            precision.append(self.grammar.constants.integer())
            self.cursor.expect_kind(")")
        if self.cursor.accept("with", "time", "zone"):
            return f"{word}tz", [*precision]
        self.cursor.accept("without", "time", "zone")
        return word, [*precision]

    def _interval_modifiers(self, literal: bool) -> list[exp.Expression]:
        """opt_interval or a precision; of a constant the fields follow the string."""
        if self.cursor.accept_kind("("):
            precision = self.grammar.constants.integer()
            self.cursor.expect_kind(")")
            return [precision]
        return [] if literal else self.interval_fields()

    def interval_fields(self) -> list[exp.Expression]:
        """opt_interval"""
        for field in _FIELDS:
            if self.cursor.accept(field):
                last = field
                if self.cursor.at("to"):
                    last = self._interval_end(field)
                return self._second_precision() if last == "second" else []
        return []

    def _interval_end(self, field: str) -> str:
        self.cursor.advance()
        for end in _FIELD_ENDS.get(field, ()):
            if self.cursor.accept(end):
                return end
        self.cursor.unexpected()

    def _second_precision(self) -> list[exp.Expression]:
        modifiers: list[Any] = []
        if self.cursor.accept_kind("("):
            modifiers.append(self.grammar.constants.integer())
            self.cursor.expect_kind(")")
        return modifiers
