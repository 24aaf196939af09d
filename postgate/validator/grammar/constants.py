"""Constants and placeholders (gram.y, AexprConst; manual, "Constants")."""

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter


class Constants(Chapter):
    """Nodes for single tokens, with the place that each has in the text."""

    __slots__ = ()

    def string(self) -> exp.Literal:
        """A string constant of any form."""

        if self.cursor.current.kind != "SCONST":
            self.cursor.unexpected()
        return self.literal(is_string=True)

    def integer(self) -> exp.Literal:
        """An integer constant."""
        if self.cursor.current.kind != "ICONST":
            self.cursor.unexpected()
        return self.literal(is_string=False)

    def literal(self, is_string: bool) -> exp.Literal:
        """The current token, whatever constant it is."""
        token = self.cursor.current
        self.cursor.advance()
        return exp.Literal(this=token.value, is_string=is_string, pos=token.start)

    def signed_number(self) -> exp.Literal | exp.Neg:
        """NumericOnly: a number with an optional sign."""
        negative = self.cursor.accept_op("-")
        if not negative:
            self.cursor.accept_op("+")
        if self.cursor.current.kind not in ("ICONST", "FCONST"):
            self.cursor.unexpected()
        number = self.literal(is_string=False)
        return exp.Neg(this=number) if negative else number

    def placeholder(self) -> exp.Placeholder:
        """$n"""
        token = self.cursor.current
        self.cursor.advance()
        return exp.Placeholder(this=token.value, pos=token.start)

    def keyword(self, text: str) -> exp.Var:
        """A keyword that must be seen in the tree, such as DEFAULT."""
        return exp.Var(this=text)
