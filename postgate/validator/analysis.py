"""From a text to what it does: lexer, grammar, then every rule, once for each text."""

import gc

from postgate.validator import hints
from postgate.validator.facts import Facts, Refusal
from postgate.validator.fingerprint import fingerprint
from postgate.validator.grammar.cursor import GrammarError
from postgate.validator.grammar.statements import parse_tokens
from postgate.validator.limits import DEFAULT, TextLimits
from postgate.validator.parsed import ParsedStatement, RuleError
from postgate.validator.reading.lexer import LexError, Reading, read, without_comments
from postgate.validator.rules import RULES

# Characters.
_LONG = 20_000


def analyse(sql: str, limits: TextLimits = DEFAULT) -> Facts | Refusal:
    """Read a text as PostgreSQL would and apply every rule; never raises on any text."""
    text_fingerprint = ""
    try:
        reading = read(sql, limits, rows=True)
        text_fingerprint = fingerprint(reading.tokens)
        statement = _parsed(sql, reading, limits)
        statement.fingerprint = text_fingerprint
        try:
            for rule in RULES:
                rule(statement)
            return statement.facts()
        finally:
            statement.take_apart()
    except RuleError as error:
        return Refusal.of(error, text_fingerprint)
    except (LexError, GrammarError) as error:
        if error.place is not None:
            error.hint = hints.of_syntax(sql, error.place.position - 1)
        refusal = Refusal.of(error, text_fingerprint)
        if isinstance(error, LexError):
            return refusal
    except RecursionError:
        refusal = Refusal("the statement is nested too deeply", "limit", fingerprint=text_fingerprint)
    if len(sql) > _LONG:
        # The part of a tree that was made holds itself. Together with those of other texts it would be freed in one go,
        # of a second or more, in which no other request of the process goes on.
        gc.collect(1)
    return refusal


def _parsed(sql: str, reading: Reading, limits: TextLimits) -> ParsedStatement:
    roots = parse_tokens(reading.tokens, sql, limits.nesting)
    if not roots:
        raise RuleError("empty statement", sql, None, "empty_statement")
    if len(roots) > 1:
        message = "only one statement is allowed; send each one in a request of its own, or as a batch"
        raise RuleError(message, sql, None, "several_statements", hints.BATCH)
    statement = ParsedStatement(sql, roots[0], reading.tokens)
    statement.text = without_comments(sql, reading.comments)
    return statement
