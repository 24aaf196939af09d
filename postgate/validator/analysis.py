"""From a text to what it does: lexer, grammar, then every rule, once for each text."""

from dataclasses import dataclass

from postgate.validator.dialect import parse
from postgate.validator.grammar.cursor import GrammarError
from postgate.validator.limits import DEFAULT, Limits
from postgate.validator.reading.lexer import LexError
from postgate.validator.rules import RULES
from postgate.validator.statement import RuleError, Statement


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything about an allowed text that does not depend on the tenant; see `Verdict` for the meanings.

    Attributes:
        qualifiers: each schema that a name is qualified with, and where, if that is known.
        advances_sequence: whether the statement calls nextval, which INSERT or UPDATE allows.
    """

    kind: str
    operations: frozenset[str]
    relations: frozenset[tuple[str | None, str]]
    functions: frozenset[tuple[str | None, str]]
    own_functions: frozenset[str]
    qualifiers: dict[str, int | None]
    advances_sequence: bool
    placeholders: int
    defines: str
    fields: frozenset[str]
    untyped: frozenset[int]
    writes: bool
    returns_rows: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """A text that no tenant may run, and why."""

    message: str


def analyse(sql: str, limits: Limits = DEFAULT) -> Analysis | Refusal:
    """Read a text as PostgreSQL would and apply every rule; never raises on any text."""
    try:
        return _analysis(_statement(sql, limits))
    except (LexError, GrammarError, RuleError) as error:
        return Refusal(str(error))
    except RecursionError:
        return Refusal("the statement is nested too deeply")


def _statement(sql: str, limits: Limits) -> Statement:
    roots, tokens = parse(sql, limits)
    if not roots:
        raise RuleError("the text has no statement")
    if len(roots) > 1:
        raise RuleError("only one statement is allowed; send each one in a request of its own")
    return Statement(sql, roots[0], tokens)


def _analysis(statement: Statement) -> Analysis:
    for rule in RULES:
        rule(statement)
    return Analysis(
        kind=statement.kind,
        operations=frozenset(statement.operations),
        relations=frozenset(statement.relations),
        functions=frozenset(statement.functions),
        own_functions=frozenset(statement.own_functions),
        qualifiers=statement.qualifiers,
        advances_sequence=statement.advances_sequence,
        placeholders=statement.placeholders,
        defines=statement.defines,
        fields=frozenset(statement.fields),
        untyped=frozenset(statement.untyped),
        writes=statement.writes,
        returns_rows=statement.returns_rows,
    )
