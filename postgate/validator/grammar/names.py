"""Names, by PostgreSQL's four categories of keywords (manual, appendix "SQL Key Words")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.lists.keywords import BARE_LABEL, COL_NAME, KEYWORDS, RESERVED, TYPE_FUNC_NAME
from postgate.validator.reading.lexer import Token

_NOT_COL_ID = TYPE_FUNC_NAME | RESERVED
_NOT_TYPE_FUNCTION_NAME = COL_NAME | RESERVED
_NOT_BARE_LABEL = KEYWORDS - BARE_LABEL
# Before these words PostgreSQL takes the first one as a token of its own (base_yylex), which is no name.
_NO_NAME_BEFORE = {
    "not": frozenset({"between", "in", "like", "ilike", "similar"}),
    "nulls": frozenset({"first", "last"}),
    "with": frozenset({"time", "ordinality"}),
    "without": frozenset({"time"}),
    "format": frozenset({"json"}),
}


class Names(Chapter):
    """Identifiers and dotted names."""

    __slots__ = ()

    def _is_name(self, token: Token, excluded: frozenset[str]) -> bool:
        return token.kind == "QIDENT" or (token.kind == "IDENT" and token.value not in excluded)

    def at_col_id(self) -> bool:
        return self._is_name(self.cursor.current, _NOT_COL_ID)

    def at_type_function_name(self) -> bool:
        return self._is_name(self.cursor.current, _NOT_TYPE_FUNCTION_NAME)

    def at_bare_col_label(self) -> bool:
        return self._is_name(self.cursor.current, _NOT_BARE_LABEL)

    def col_id(self) -> exp.Identifier:
        """ColId: the name of a table, column, schema ..."""
        if not self.at_col_id():
            self.cursor.unexpected()
        return self.identifier()

    def type_function_name(self) -> exp.Identifier:
        """type_function_name: the name of a type or function."""
        if not self.at_type_function_name():
            self.cursor.unexpected()
        return self.identifier()

    def col_label(self) -> exp.Identifier:
        """ColLabel: any word at all, as after AS or a dot."""
        if self.cursor.current.kind not in ("IDENT", "QIDENT"):
            self.cursor.unexpected()
        return self.identifier()

    def bare_col_label(self) -> exp.Identifier:
        """BareColLabel: a column label without AS."""
        if not self.at_bare_col_label():
            self.cursor.unexpected()
        return self.identifier()

    def non_reserved_word(self) -> exp.Identifier:
        """NonReservedWord"""
        if not self._is_name(self.cursor.current, RESERVED):
            self.cursor.unexpected()
        return self.identifier()

    def identifier(self) -> exp.Identifier:
        token = self.cursor.current
        if token.kind == "IDENT" and self.cursor.next_word() in _NO_NAME_BEFORE.get(token.value, ()):
            self.cursor.unexpected()
        self.cursor.advance()
        return exp.Identifier(this=token.value, quoted=token.kind == "QIDENT", pos=token.start)

    def qualified_name(self) -> exp.Table:
        """qualified_name and any_name: ColId with up to two qualifiers in front."""
        parts = [self.col_id()]
        while self.cursor.accept_kind("."):
            parts.append(self.col_label())
        return self.dotted(parts)

    def dotted(self, parts: list[exp.Identifier]) -> exp.Table:
        if len(parts) > 3:
            self.cursor.refuse("a name has at most three parts", self.cursor.previous)
        names: dict[str, Any] = dict(zip(("this", "db", "catalog"), reversed(parts), strict=False))
        return exp.Table(**names)

    def name_list(self) -> list[exp.Identifier]:
        """ColId, ColId ..."""
        return self.cursor.comma_list(self.col_id)

    def column_names(self) -> list[exp.Identifier]:
        """( ColId, ColId ... )"""
        return self.cursor.parenthesised_list(self.col_id)
