"""Names, by PostgreSQL's four categories of keywords (manual, appendix "SQL Key Words")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.productions import Productions
from postgate.validator.lists.keywords import BARE_LABEL, COL_NAME, KEYWORDS, RESERVED, TYPE_FUNC_NAME

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


class NameGrammar(Productions):
    """Identifiers and dotted names."""

    def _is_name(self, token: Any, excluded: frozenset[str]) -> bool:
        return bool(token) and (token.kind == "QIDENT" or (token.kind == "IDENT" and token.value not in excluded))

    def _at_col_id(self) -> bool:
        return self._is_name(self._curr, _NOT_COL_ID)

    def _at_type_function_name(self) -> bool:
        return self._is_name(self._curr, _NOT_TYPE_FUNCTION_NAME)

    def _at_bare_col_label(self) -> bool:
        return self._is_name(self._curr, _NOT_BARE_LABEL)

    def _col_id(self) -> exp.Identifier:
        """ColId: the name of a table, column, schema ..."""
        if not self._at_col_id():
            self._unexpected()
        return self._identifier()

    def _type_function_name(self) -> exp.Identifier:
        """type_function_name: the name of a type or function."""
        if not self._at_type_function_name():
            self._unexpected()
        return self._identifier()

    def _col_label(self) -> exp.Identifier:
        """ColLabel: any word at all, as after AS or a dot."""
        if self._kind() not in ("IDENT", "QIDENT"):
            self._unexpected()
        return self._identifier()

    def _bare_col_label(self) -> exp.Identifier:
        """BareColLabel: a column label without AS."""
        if not self._at_bare_col_label():
            self._unexpected()
        return self._identifier()

    def _non_reserved_word(self) -> exp.Identifier:
        """NonReservedWord"""
        if not self._is_name(self._curr, RESERVED):
            self._unexpected()
        return self._identifier()

    def _identifier(self) -> exp.Identifier:
        token = self._curr
        if token.kind == "IDENT" and self._next_word() in _NO_NAME_BEFORE.get(token.value, ()):
            self._unexpected()
        self._advance()
        return exp.Identifier(this=token.value, quoted=token.kind == "QIDENT", pos=token.start)

    def _qualified_name(self) -> exp.Table:
        """qualified_name and any_name: ColId with up to two qualifiers in front."""
        parts = [self._col_id()]
        while self._punct("."):
            parts.append(self._col_label())
        return self._dotted(parts)

    def _dotted(self, parts: list[exp.Identifier]) -> exp.Table:
        if len(parts) > 3:
            self._refuse("a name has at most three parts", self._prev)
        names: dict[str, Any] = dict(zip(("this", "db", "catalog"), reversed(parts), strict=False))
        return exp.Table(**names)

    def _name_list(self) -> list[exp.Identifier]:
        """ColId, ColId ..."""
        return self._list(self._col_id)

    def _column_names(self) -> list[exp.Identifier]:
        """( ColId, ColId ... )"""
        return self._parenthesised_list(self._col_id)
