"""Which statements there are; every other one is refused by its name."""

from typing import Any

from sqlglot import exp

from postgate.validator.grammar.utility import UtilityGrammar

_QUERIES = frozenset({"select", "values", "table", "with", "insert", "update", "delete", "merge"})
_DEFINITIONS = frozenset({"create", "alter", "drop", "truncate", "comment", "refresh"})
_TRANSACTIONS = frozenset({"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"})
_REFUSED = frozenset(
    """
    analyse analyze call checkpoint close cluster copy deallocate declare discard do execute fetch grant import listen
    load lock move notify prepare reassign reindex repack reset revoke security set show unlisten vacuum wait
    """.split()
)


class StatementGrammar(UtilityGrammar):
    """One statement."""

    def _parse_statement(self) -> Any:
        """The entry point of sqlglot's parser; None for a statement without any token."""
        if not self._curr:
            return None
        statement = self._stmt()
        if self._curr:
            self._unexpected()
        return statement

    def _stmt(self) -> exp.Expression:
        word = self._word()
        if self._at_punct("(") or word in _QUERIES:
            return self._preparable_stmt()
        if word in _DEFINITIONS:
            return self._definition_stmt()
        if word == "explain":
            return self._utility_stmt()
        if word in _TRANSACTIONS:
            self._refuse(f"{word.upper()} is not allowed: each request is one transaction")
        if word in _REFUSED:
            self._refuse(f"{word.upper()} is not allowed")
        self._unexpected()
