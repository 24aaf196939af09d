"""Expressions: what PostgreSQL's own parser groups together, the grammar groups together."""

import random
import sys
from collections.abc import Iterator
from typing import Any

import pglast
import pytest
import sqlglot
from sqlglot import exp
from support.paths import FIXTURES
from support.postgresql_shapes import postgresql_shapes
from support.shapes import our_shapes

from postgate.validator.dialect import PostgateDialect, parse
from postgate.validator.grammar.cursor import GrammarError
from postgate.validator.lists.keywords import KEYWORDS
from postgate.validator.parsed import ParsedStatement
from postgate.validator.reading.lexer import LexError, tokenize
from postgate.validator.rules.accounting import account_for_text

GRAMMAR = FIXTURES / "grammar"
MUTATIONS = 20_000
JOINTS = [
    "+",
    "-",
    "=",
    "<",
    "and",
    "or",
    "||",
    "like",
    "is",
    "in",
    "between",
    "::",
    "at",
    "collate",
    ".",
    ",",
    "@",
    "^",
]


def expressions(name: str) -> list[str]:
    lines = (GRAMMAR / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("--")]


ACCEPTED = expressions("expressions.sql")
REFUSED = expressions("expressions-refused.sql")


def shapes(sql: str) -> Any:
    """The shapes of the statements in our tree, None when the grammar refuses the text."""
    try:
        roots, _ = parse(sql)
    except (LexError, GrammarError):
        return None
    return [our_shapes(root) for root in roots]


def shapes_of_postgresql(sql: str) -> Any:
    try:
        return [postgresql_shapes(raw.stmt) for raw in pglast.parse_sql(sql)]
    except pglast.Error as error:
        return str(error)


@pytest.mark.parametrize("expression", ACCEPTED)
def test_an_expression_is_read_as_postgresql_reads_it(expression: str) -> None:
    sql = f"SELECT {expression}"
    assert shapes(sql) == shapes_of_postgresql(sql)


@pytest.mark.parametrize("expression", ACCEPTED)
def test_every_word_of_an_expression_is_in_the_tree(expression: str) -> None:
    sql = f"SELECT {expression}"
    (root,), tokens = parse(sql)
    account_for_text(ParsedStatement(sql, root, tokens))


@pytest.mark.parametrize("expression", REFUSED)
def test_what_postgresql_refuses_is_refused(expression: str) -> None:
    sql = f"SELECT {expression}"
    with pytest.raises(pglast.Error):
        pglast.parse_sql(sql)
    with pytest.raises(GrammarError):
        parse(sql)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("treat(a AS b)", "TREAT is not supported"),
        ("a.b.c.d.e", "a column's name has at most four parts"),
        ("a.b.c.f(1)", "a function may not be qualified with a database"),
        ("a::b.c.d", "a type may not be qualified with a database"),
        ("json(a FORMAT JSON ENCODING utf8)", "ENCODING is not supported"),
        ("a::setof int", "SETOF is not allowed here"),
        ("DEFAULT", "syntax error"),
        ("a is", "the statement ends too early"),
        ("a FROM f(x) over", "the statement ends too early"),
    ],
)
def test_what_postgresql_reads_and_the_grammar_does_not(expression: str, message: str) -> None:
    sql = f"SELECT {expression}"
    pglast.parse_sql(sql)
    with pytest.raises(GrammarError, match=message):
        parse(sql)


def items(tokens: list[str]) -> list[list[str]]:
    """The expressions of a line, which commas separate."""
    found: list[list[str]] = [[]]
    depth = 0
    for word in tokens:
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if word == "," and depth == 0:
            found.append([])
        else:
            found[-1].append(word)
    return found


def mutations(count: int, seed: int) -> Iterator[str]:
    """Expressions with words added, exchanged or doubled, with pieces of others, or joined to others."""
    source = random.Random(seed)  # noqa: S311 - no secret
    texts = [item for text in ACCEPTED for item in items([token.text for token in tokenize(text)])]
    words = sorted({word for text in texts for word in text}), sorted(KEYWORDS)
    for _ in range(count):
        tokens = list(source.choice(texts))
        for _ in range(source.randint(1, 3)):
            place, other = source.randrange(len(tokens) + 1), source.choice(texts)
            start = source.randrange(len(other))
            kind = source.random()
            if kind < 0.3:
                tokens[place : place + source.randint(0, 1)] = [source.choice(source.choice(words))]
            elif kind < 0.5:
                tokens += [source.choice(JOINTS), *other]
            elif kind < 0.75:
                tokens[place:place] = other[start : start + source.randint(1, 8)]
            else:
                tokens[place:place] = tokens[place - 3 : place]
        yield "SELECT " + " ".join(tokens)


def test_whatever_is_accepted_means_the_same_to_postgresql() -> None:
    accepted = 0
    for sql in mutations(MUTATIONS, seed=5):
        found = shapes(sql)
        if found is not None:
            accepted += 1
            assert found == shapes_of_postgresql(sql), sql
    assert accepted > MUTATIONS // 10


@pytest.mark.parametrize("expression", ACCEPTED)
def test_a_text_that_ends_early_is_refused_or_means_the_same(expression: str) -> None:
    sql = f"SELECT {expression}"
    for token in tokenize(sql)[1:]:
        found = shapes(sql[: token.end])
        assert found is None or found == shapes_of_postgresql(sql[: token.end])


NESTED = [
    ("(", "1", ")"),
    ("(1, ", "1", ")"),
    ("f(", "1", ")"),
    ("t(", "1", ") 'x'"),
    ("a::t(", "1", ")"),
    ("NOT ", "a", ""),
    ("- ", "a", ""),
    ("@ ", "a", ""),
    ("OPERATOR(+) ", "a", ""),
    ("a = NOT ", "b", ""),
    ("a LIKE NOT ", "b", ""),
    ("a BETWEEN 1 AND NOT ", "b", ""),
    ("a[", "1", "]"),
    ("ARRAY[", "1", "]"),
    ("CASE WHEN ", "a", " THEN 1 END"),
    ("CAST(", "1", " AS int)"),
    ("(SELECT ", "1", ")"),
    ("((SELECT ", "1", ") + 1)"),
    ("a IN (", "1", ")"),
    ("a = ANY (SELECT ", "1", ")"),
    ("(a, b) OVERLAPS (c, ", "d", ")"),
    ("f() OVER (PARTITION BY ", "a", ")"),
    ("f() FILTER (WHERE ", "a", ")"),
    ("f() WITHIN GROUP (ORDER BY ", "a", ")"),
    ("xmlexists(", "'a'", " PASSING b)"),
    ("xmlexists('a' PASSING ", "b", ")"),
    ("json_object(", "a", " VALUE 1)"),
    ("json_array(SELECT ", "1", ")"),
    ("json_value(a, '$' DEFAULT ", "1", " ON ERROR)"),
    # Every level of precedence once, which is the most that one level of nesting takes of the interpreter's stack.
    ("a OR b AND NOT c IS DISTINCT FROM d = e LIKE f @ g + h * i ^ j AT TIME ZONE (", "1", ")"),
]


@pytest.mark.parametrize(("opening", "inside", "closing"), NESTED)
def test_nesting_is_read_up_to_a_limit(opening: str, inside: str, closing: str) -> None:
    sql = f"SELECT {opening * 20}{inside}{closing * 20}"
    assert shapes(sql) == shapes_of_postgresql(sql)
    for text in (f"{opening * 500}{inside}{closing * 500}", opening * 500):
        with pytest.raises(GrammarError, match="nested more than"):
            parse(f"SELECT {text}")


def calls(sql: str) -> int:
    """How many calls of Python functions a parse takes."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    previous = sys.getprofile()
    sys.setprofile(counted)
    try:
        parse(sql)
    finally:
        sys.setprofile(previous)
    return count


@pytest.mark.parametrize(
    "link",
    [
        " + a",
        " AND a = b",
        " OR a IS NULL",
        "::int",
        " IN (1, 2)",
        " AT TIME ZONE b",
        ", (SELECT 1)",
        ", ((a)).b",
        ", f(a, b)",
    ],
)
def test_a_parse_takes_time_in_proportion_to_the_text(link: str) -> None:
    assert calls("SELECT a" + link * 400) < 4.2 * calls("SELECT a" + link * 100)


def test_sqlglots_way_in_gives_our_tree() -> None:
    sql = "SELECT to_char(a, 'x', now()) FROM t; SELECT 1"
    roots = sqlglot.parse(sql, read=PostgateDialect)
    assert roots == parse(sql)[0]
    # sqlglot's own grammar makes another class of this call, without the third argument.
    assert roots[0] is not None
    assert [(call.this.name, len(call.expressions)) for call in roots[0].find_all(exp.Anonymous)] == [
        ("to_char", 3),
        ("now", 0),
    ]
