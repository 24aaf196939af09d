"""EXPLAIN."""

from sqlglot import exp

from postgate.validator.grammar.definitions import DefinitionGrammar
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


class UtilityGrammar(DefinitionGrammar):
    """Statements about other statements."""

    def _utility_stmt(self) -> exp.Describe:
        """ExplainStmt"""
        self._expect("explain")
        if self._at_explain_options():
            options = self._parenthesised_list(self._explain_option)
        else:
            options = self._explain_words()
        analyze = any(self._turns_analyze_on(option) for option in options)
        return exp.Describe(this=self._explained(), analyze=analyze, options=options)

    def _at_explain_options(self) -> bool:
        """A parenthesis begins the options, except when a query in parentheses begins."""
        following = self._peek(1)
        if not self._at_punct("(") or following.kind == "(":
            return False
        return not (following.kind == "IDENT" and following.value in _QUERY_STARTS)

    def _explain_words(self) -> list[exp.Property]:
        """The old form: ANALYZE and VERBOSE, in this order."""
        options = []
        if self._accept_any(_ANALYZE):
            options.append(self._marked("analyze"))
        if self._accept("verbose"):
            options.append(self._marked("verbose"))
        return options

    def _explain_option(self) -> exp.Property:
        """utility_option_elem"""
        name: exp.Expression
        if self._accept_any(_ANALYZE):
            name = self._keyword_node("analyze")
        elif self._accept("format"):
            name = self._keyword_node("format")
        else:
            name = self._non_reserved_word()
        if name.name not in _FLAGS and name.name not in _CHOICES:
            self._refuse(f'unrecognized EXPLAIN option "{name.name}"', self._prev)
        value = None if self._at_punct(",") or self._at_punct(")") else self._explain_value()
        self._judge_explain_value(name.name, value)
        return exp.Property(this=name, value=value)

    def _explain_value(self) -> exp.Expression:
        """utility_option_arg"""
        if self._at_punct("SCONST"):
            return self._string()
        if self._at_punct("ICONST"):
            return self._integer()
        if self._at("true") or self._at("false") or self._at("on"):
            return self._identifier()
        if self._at_any(RESERVED):
            self._unexpected()
        return self._col_label()

    def _judge_explain_value(self, name: str, value: exp.Expression | None) -> None:
        """Refuse a value that PostgreSQL would refuse, so that the meaning of the others is known."""
        known = _CHOICES.get(name, _ON | _OFF)
        if value is None and name != "format":
            return
        if value is None or value.name.lower() not in known:
            self._refuse(f'EXPLAIN option "{name}" is one of {", ".join(sorted(known))}', self._prev)

    def _turns_analyze_on(self, option: exp.Property) -> bool:
        value = option.args.get("value")
        return option.this.name == "analyze" and (value is None or value.name.lower() in _ON)

    def _explained(self) -> exp.Expression:
        """ExplainableStmt, without cursors and prepared statements."""
        if not self._at("create"):
            return self._preparable_stmt()
        statement = self._definition_stmt()
        if statement.args["kind"] not in ("TABLE", "MATERIALIZED VIEW") or not statement.expression:
            self._refuse("EXPLAIN CREATE is only for a table or materialized view made from a query", self._prev)
        return statement
