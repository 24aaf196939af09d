"""The functions of SQL/XML, whose arguments are clauses (manual, "XML Functions")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter

_COLUMN_OPTIONS = frozenset({"default", "path"})


class Xml(Chapter):
    """XML...; every operand stands in `expressions`."""

    __slots__ = ()

    def xmlelement(self) -> exp.Expression | None:
        """XMLELEMENT ( NAME name [, XMLATTRIBUTES (...)] [, content ...] )"""
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        self.cursor.expect("name")
        operands: list[Any] = [self.grammar.names.col_label()]
        if self.cursor.at_kind(",") and self.cursor.next_word() == "xmlattributes":
            self.cursor.advance(2)
            operands += self.cursor.parenthesised_list(self._xml_attribute)
        while self.cursor.accept_kind(","):
            operands.append(self.grammar.expressions.a_expr())
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _xml_attribute(self) -> exp.Expression:
        """xml_attribute_el"""
        value = self.grammar.expressions.a_expr()
        return exp.Alias(this=value, alias=self.grammar.names.col_label()) if self.cursor.accept("as") else value

    def xmlforest(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands = self.cursor.comma_list(self._xml_attribute)
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def xmlexists(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        self.cursor.descend()
        operands = [self.grammar.operands.c_expr(), self._xml_passing()]
        self.cursor.ascend()
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _xml_passing(self) -> exp.Expression:
        """xmlexists_argument"""
        self.cursor.expect("passing")
        self._xml_mechanism()
        value = self.grammar.operands.c_expr()
        self._xml_mechanism()
        return value

    def _xml_mechanism(self) -> None:
        if self.cursor.at("by", "ref") or self.cursor.at("by", "value"):
            self.cursor.advance(2)

    def xmlparse(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        self._document_or_content()
        operands = [self.grammar.expressions.a_expr()]
        if self.cursor.at("preserve", "whitespace") or self.cursor.at("strip", "whitespace"):
            self.cursor.advance(2)
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _document_or_content(self) -> None:
        if not self.cursor.accept("document"):
            self.cursor.expect("content")

    def xmlpi(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        self.cursor.expect("name")
        operands: list[Any] = [self.grammar.names.col_label()]
        if self.cursor.accept_kind(","):
            operands.append(self.grammar.expressions.a_expr())
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def xmlroot(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        operands: list[Any] = [self.grammar.expressions.a_expr()]
        self.cursor.expect_kind(",")
        self.cursor.expect("version")
        if not self.cursor.accept("no", "value"):
            operands.append(self.grammar.expressions.a_expr())
        if self.cursor.accept_kind(","):
            self.cursor.expect("standalone")
            if self.cursor.accept("no"):
                self.cursor.accept("value")
            else:
                self.cursor.expect("yes")
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def xmlserialize(self) -> exp.Expression | None:
        if self.cursor.peek(1).kind != "(":
            return None
        name, start = self.grammar.functions.opened()
        self._document_or_content()
        operands: list[Any] = [self.grammar.expressions.a_expr()]
        self.cursor.expect("as")
        operands.append(self.grammar.types.simple_type_name())
        if not self.cursor.accept("no", "indent"):
            self.cursor.accept("indent")
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def xmltable(self) -> exp.Anonymous:
        """XMLTABLE ( [XMLNAMESPACES (...),] row PASSING document COLUMNS ... )"""
        name, start = self.grammar.functions.opened()
        operands: list[Any] = []
        if self.cursor.at("xmlnamespaces") and self.cursor.peek(1).kind == "(":
            self.cursor.advance()
            operands += self.cursor.parenthesised_list(self._xml_namespace)
            self.cursor.expect_kind(",")
        operands += [self.grammar.operands.c_expr(), self._xml_passing()]
        self.cursor.expect("columns")
        operands += self.cursor.comma_list(self._xml_column)
        self.cursor.expect_kind(")")
        return self.grammar.calls.syntax(name, operands, start)

    def _xml_namespace(self) -> exp.Expression:
        if self.cursor.accept("default"):
            return self.grammar.expressions.b_expr()
        value = self.grammar.expressions.b_expr()
        self.cursor.expect("as")
        return exp.Alias(this=value, alias=self.grammar.names.col_label())

    def _xml_column(self) -> exp.ColumnDef:
        column = exp.ColumnDef(this=self.grammar.names.col_id())
        if self.cursor.accept("for", "ordinality"):
            return column
        column.set("kind", self.grammar.types.type_name())
        operands: list[Any] = []
        seen: set[str] = set()
        while (option := self._xml_column_option(operands)) is not None:
            if option in seen:
                self.cursor.refuse(f"{option.upper()} stands twice", self.cursor.previous)
            seen.add(option)
        column.set("constraints", operands)
        return column

    def _xml_column_option(self, operands: list[Any]) -> str | None:
        """xmltable_column_option_el; its value is added to `operands`."""
        if option := self.cursor.accept_any(_COLUMN_OPTIONS):
            operands.append(self.grammar.expressions.b_expr())
            return option
        return "null" if self.cursor.accept("not", "null") or self.cursor.accept("null") else None
