"""Types, in every spelling (gram.y, Typename; manual, "Data Types")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.names import NameGrammar

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
_LARGEST_REAL_PRECISION = 24
_LARGEST_FLOAT_PRECISION = 53


class TypeGrammar(NameGrammar):
    """Type names; each is an exp.DataType with the canonical name in `kind`."""

    def _type_name(self) -> exp.DataType:
        """Typename, without SETOF, which only function definitions have a use for."""
        if self._at("setof"):
            self._refuse("SETOF is not allowed here")
        simple = self._simple_type_name()
        self._array_bounds(simple)
        return simple

    def _array_bounds(self, data_type: exp.DataType) -> None:
        """[ ], [n] and ARRAY; PostgreSQL reads the bounds and ignores them."""
        bounds = []
        if self._accept("array"):
            data_type.set("nested", True)
            if self._punct("["):
                bounds.append(self._integer())
                self._expect_punct("]")
        else:
            while self._punct("["):
                data_type.set("nested", True)
                if not self._at_punct("]"):
                    bounds.append(self._integer())
                self._expect_punct("]")
        data_type.set("bounds", bounds)

    def _at_built_in_type(self) -> bool:
        """Whether a type with a syntax of its own comes next, rather than a name."""
        return self._at_any(_BUILT_IN) or self._at("double", "precision")

    def _simple_type_name(self) -> exp.DataType:
        """SimpleTypename"""
        if self._at_built_in_type():
            return self._built_in_type(literal=False)
        return self._generic_type()

    def _generic_type(self) -> exp.DataType:
        """GenericType: a name, qualified or not, with optional modifiers."""
        parts = [self._type_function_name()]
        while self._punct("."):
            parts.append(self._col_label())
        return self._data_type(self._type_kind(parts), self._type_modifiers())

    def _type_kind(self, parts: list[exp.Identifier]) -> exp.Expression:
        if len(parts) > 2:
            self._refuse("a type may not be qualified with a database", self._prev)
        return parts[0] if len(parts) == 1 else exp.Dot(this=parts[0], expression=parts[1])

    def _type_modifiers(self) -> list[exp.Expression]:
        """opt_type_modifiers"""
        return self._parenthesised_list(self._a_expr) if self._at_punct("(") else []

    def _data_type(self, kind: exp.Expression, modifiers: list[exp.Expression] | None = None) -> exp.DataType:
        return exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=kind, expressions=modifiers or [])

    def _built_in_type(self, literal: bool) -> exp.DataType:
        """A type with a syntax of its own; `literal` when a constant of it follows (ConstTypename)."""
        token = self._curr
        word = token.value
        self._advance()
        name, modifiers = self._named_built_in(word, literal)
        return self._data_type(exp.Identifier(this=name, quoted=False, pos=token.start), modifiers)

    def _named_built_in(self, word: str, literal: bool) -> tuple[str, list[exp.Expression]]:
        """The canonical name and the modifiers, after the first word."""
        if word in _PLAIN:
            return _PLAIN[word], []
        if word in _WITH_MODIFIERS:
            return "numeric", self._type_modifiers()
        if word == "double":
            self._expect("precision")
            return "float8", []
        if word == "float":
            return self._float()
        if word == "bit":
            return ("varbit" if self._accept("varying") else "bit"), self._type_modifiers()
        if word in _CHARACTER:
            return self._character(word)
        if word in _DATETIME:
            return self._datetime(word)
        return "interval", self._interval_modifiers(literal)

    def _float(self) -> tuple[str, list[exp.Expression]]:
        if not self._punct("("):
            return "float8", []
        precision = self._integer()
        self._expect_punct(")")
        if not 1 <= int(precision.name) <= _LARGEST_FLOAT_PRECISION:
            self._refuse("precision for type float must be from 1 to 53", self._prev)
        return ("float4" if int(precision.name) <= _LARGEST_REAL_PRECISION else "float8"), [precision]

    def _character(self, word: str) -> tuple[str, list[exp.Expression]]:
        if word == "national" and not (self._accept("character") or self._accept("char")):
            self._unexpected()
        varying = word == "varchar" or self._accept("varying")
        length = []
        if self._punct("("):
            length.append(self._integer())
            self._expect_punct(")")
        return ("varchar" if varying else "bpchar"), [*length]

    def _datetime(self, word: str) -> tuple[str, list[exp.Expression]]:
        precision = []
        if self._punct("("):
            precision.append(self._integer())
            self._expect_punct(")")
        if self._accept("with", "time", "zone"):
            return f"{word}tz", [*precision]
        self._accept("without", "time", "zone")
        return word, [*precision]

    def _interval_modifiers(self, literal: bool) -> list[exp.Expression]:
        """opt_interval or a precision; of a constant the fields follow the string."""
        if self._punct("("):
            precision = self._integer()
            self._expect_punct(")")
            return [precision]
        return [] if literal else self._interval_fields()

    def _interval_fields(self) -> list[exp.Expression]:
        """opt_interval"""
        for field in _FIELDS:
            if self._accept(field):
                last = field
                if self._at("to"):
                    last = self._interval_end(field)
                return self._second_precision() if last == "second" else []
        return []

    def _interval_end(self, field: str) -> str:
        self._advance()
        for end in _FIELD_ENDS.get(field, ()):
            if self._accept(end):
                return end
        self._unexpected()

    def _second_precision(self) -> list[exp.Expression]:
        modifiers: list[Any] = []
        if self._punct("("):
            modifiers.append(self._integer())
            self._expect_punct(")")
        return modifiers
