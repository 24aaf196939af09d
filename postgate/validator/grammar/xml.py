"""The functions of SQL/XML, whose arguments are clauses (manual, "XML Functions")."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.json import JsonGrammar

_COLUMN_OPTIONS = frozenset({"default", "path"})


class XmlGrammar(JsonGrammar):
    """XML...; every operand stands in `expressions`."""

    def _xmlelement(self) -> exp.Expression | None:
        """XMLELEMENT ( NAME name [, XMLATTRIBUTES (...)] [, content ...] )"""
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        self._expect("name")
        operands: list[Any] = [self._col_label()]
        if self._at_punct(",") and self._next_word() == "xmlattributes":
            self._advance(2)
            operands += self._parenthesised_list(self._xml_attribute)
        while self._punct(","):
            operands.append(self._a_expr())
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xml_attribute(self) -> exp.Expression:
        """xml_attribute_el"""
        value = self._a_expr()
        return exp.Alias(this=value, alias=self._col_label()) if self._accept("as") else value

    def _xmlforest(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands = self._list(self._xml_attribute)
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xmlexists(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        self._descend()
        operands = [self._c_expr(), self._xml_passing()]
        self._ascend()
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xml_passing(self) -> exp.Expression:
        """xmlexists_argument"""
        self._expect("passing")
        self._xml_mechanism()
        value = self._c_expr()
        self._xml_mechanism()
        return value

    def _xml_mechanism(self) -> None:
        if self._at("by", "ref") or self._at("by", "value"):
            self._advance(2)

    def _xmlparse(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        self._document_or_content()
        operands = [self._a_expr()]
        if self._at("preserve", "whitespace") or self._at("strip", "whitespace"):
            self._advance(2)
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _document_or_content(self) -> None:
        if not self._accept("document"):
            self._expect("content")

    def _xmlpi(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        self._expect("name")
        operands: list[Any] = [self._col_label()]
        if self._punct(","):
            operands.append(self._a_expr())
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xmlroot(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        operands: list[Any] = [self._a_expr()]
        self._expect_punct(",")
        self._expect("version")
        if not self._accept("no", "value"):
            operands.append(self._a_expr())
        if self._punct(","):
            self._expect("standalone")
            if self._accept("no"):
                self._accept("value")
            else:
                self._expect("yes")
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xmlserialize(self) -> exp.Expression | None:
        if self._peek(1).kind != "(":
            return None
        name, start = self._opened()
        self._document_or_content()
        operands: list[Any] = [self._a_expr()]
        self._expect("as")
        operands.append(self._simple_type_name())
        if not self._accept("no", "indent"):
            self._accept("indent")
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xmltable(self) -> exp.Anonymous:
        """XMLTABLE ( [XMLNAMESPACES (...),] row PASSING document COLUMNS ... )"""
        name, start = self._opened()
        operands: list[Any] = []
        if self._at("xmlnamespaces") and self._peek(1).kind == "(":
            self._advance()
            operands += self._parenthesised_list(self._xml_namespace)
            self._expect_punct(",")
        operands += [self._c_expr(), self._xml_passing()]
        self._expect("columns")
        operands += self._list(self._xml_column)
        self._expect_punct(")")
        return self._syntax(name, operands, start)

    def _xml_namespace(self) -> exp.Expression:
        if self._accept("default"):
            return self._b_expr()
        value = self._b_expr()
        self._expect("as")
        return exp.Alias(this=value, alias=self._col_label())

    def _xml_column(self) -> exp.ColumnDef:
        column = exp.ColumnDef(this=self._col_id())
        if self._accept("for", "ordinality"):
            return column
        column.set("kind", self._type_name())
        operands: list[Any] = []
        seen: set[str] = set()
        while (option := self._xml_column_option(operands)) is not None:
            if option in seen:
                self._refuse(f"{option.upper()} stands twice", self._prev)
            seen.add(option)
        column.set("constraints", operands)
        return column

    def _xml_column_option(self, operands: list[Any]) -> str | None:
        """xmltable_column_option_el; its value is added to `operands`."""
        if option := self._accept_any(_COLUMN_OPTIONS):
            operands.append(self._b_expr())
            return option
        return "null" if self._accept("not", "null") or self._accept("null") else None
