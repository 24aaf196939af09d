"""EXPLAIN."""

from sqlglot import exp

from postgate.validator.grammar.chapter import Chapter
from postgate.validator.lists.keywords import RESERVED

_ON = frozenset({"true", "on", "1"})
_OFF = frozenset({"false", "off", "0"})
_FLAGS = frozenset(
    {"analyze", "verbose", "costs", "settings", "generic_plan", "buffers", "wal", "timing", "summary", "memory"}
)
_CHOICES = {
    "format": frozenset({"text", "json", "xml", "yaml"}),
    "serialize": frozenset({"none", "text", "binary"}),
}
_ANALYZE = frozenset({"analyze", "analyse"})
_QUERY_STARTS = frozenset({"select", "with", "table", "values"})


class Explain(Chapter):
    """Statements about other statements."""

    __slots__ = ()

    def explain_stmt(self) -> exp.Describe:
        """ExplainStmt"""
        self.cursor.expect("explain")
        if self._at_explain_options():
            options = self.cursor.parenthesised_list(self._explain_option)
        else:
            options = self._explain_words()
        analyze = any(self._turns_analyze_on(option) for option in options)
        return exp.Describe(this=self._explained(), analyze=analyze, options=options)

    def _at_explain_options(self) -> bool:
        """A parenthesis begins the options, except when a query in parentheses begins."""
        following = self.cursor.peek(1)
        if not self.cursor.at_kind("(") or following.kind == "(":
            return False
        return not (following.kind == "IDENT" and following.value in _QUERY_STARTS)

    def _explain_words(self) -> list[exp.Property]:
        """The old form: ANALYZE and VERBOSE, in this order."""
        options = []
        if self.cursor.accept_any(_ANALYZE):
            options.append(self.grammar.options.marked("analyze"))
        if self.cursor.accept("verbose"):
            options.append(self.grammar.options.marked("verbose"))
        return options

    def _explain_option(self) -> exp.Property:
        """utility_option_elem"""
        name: exp.Expression
        if self.cursor.accept_any(_ANALYZE):
            name = self.grammar.constants.keyword("analyze")
        elif self.cursor.accept("format"):
            name = self.grammar.constants.keyword("format")
        else:
            name = self.grammar.names.non_reserved_word()
        if name.name not in _FLAGS and name.name not in _CHOICES:
            self.cursor.refuse(f'unrecognized EXPLAIN option "{name.name}"', self.cursor.previous)
        value = None if self.cursor.at_kind(",") or self.cursor.at_kind(")") else self._explain_value()
        self._judge_explain_value(name.name, value)
        return exp.Property(this=name, value=value)

    def _explain_value(self) -> exp.Expression:
        """utility_option_arg"""
        if self.cursor.at_kind("SCONST"):
            return self.grammar.constants.string()
        if self.cursor.at_kind("ICONST"):
            return self.grammar.constants.integer()
        if self.cursor.at("true") or self.cursor.at("false") or self.cursor.at("on"):
            return self.grammar.names.identifier()
        if self.cursor.at_any(RESERVED):
            self.cursor.unexpected()
        return self.grammar.names.col_label()

    def _judge_explain_value(self, name: str, value: exp.Expression | None) -> None:
        """Refuse a value that PostgreSQL would refuse, so that the meaning of the others is choices."""
        choices = _CHOICES.get(name, _ON | _OFF)
        if value is None and name != "format":
            return
        if value is None or value.name.lower() not in choices:
            self.cursor.refuse(f'EXPLAIN option "{name}" is one of {", ".join(sorted(choices))}', self.cursor.previous)

    def _turns_analyze_on(self, option: exp.Property) -> bool:
        value = option.args.get("value")
        return option.this.name == "analyze" and (value is None or value.name.lower() in _ON)

    def _explained(self) -> exp.Expression:
        """ExplainableStmt, without cursors and prepared statements."""
        if not self.cursor.at("create"):
            return self.grammar.changes.preparable_stmt()
        statement = self.grammar.definitions.definition_stmt()
        if statement.args["kind"] not in ("TABLE", "MATERIALIZED VIEW") or not statement.expression:
            self.cursor.refuse(
                "EXPLAIN CREATE is only for a table or materialized view made from a query", self.cursor.previous
            )
        return statement
