"""The productions that others call before the class that has them: the grammar is one cycle."""

from sqlglot import exp

from postgate.validator.grammar.cursor import Cursor


class Productions(Cursor):
    """Entry points; each is defined by the class of the grammar that its docstring names."""

    def _a_expr(self) -> exp.Expression:
        """OperatorGrammar: any expression."""
        raise NotImplementedError

    def _b_expr(self) -> exp.Expression:
        """OperatorGrammar: an expression without AND, OR, NOT, IN, LIKE, BETWEEN and IS tests."""
        raise NotImplementedError

    def _c_expr(self) -> exp.Expression:
        """ExpressionGrammar: an operand."""
        raise NotImplementedError

    def _func_call(self) -> exp.Expression:
        """CallGrammar: func_expr_windowless, a call as in FROM and index definitions."""
        raise NotImplementedError

    def _select_stmt(self) -> exp.Expression:
        """SelectGrammar: SelectStmt, with or without parentheses, WITH, VALUES and TABLE included."""
        raise NotImplementedError

    def _relation_expr(self) -> exp.Table:
        """SelectGrammar: a relation with ONLY or *."""
        raise NotImplementedError

    def _sort_clause(self) -> exp.Order:
        """SelectGrammar: ORDER BY ..."""
        raise NotImplementedError

    def _preparable_stmt(self) -> exp.Expression:
        """DmlGrammar: a query or a change of rows."""
        raise NotImplementedError
