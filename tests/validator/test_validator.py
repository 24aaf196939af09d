"""The first wall, on statements that must pass and on statements that must not: cases are lines of files."""

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import FIXTURES
from support.sample import corpus, text

from postgate.errors import ParseError
from postgate.validator import Tenant, TextLimits, Validator

OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP"})
VALIDATOR = Validator()
_CASE = re.compile(r"(?:\[([A-Z,]*)\] )?(.*?)(?: -- (?=[^-]*$)(.*))?")

# What a statement costs is for limits, and what a session keeps for the executor.
NOT_THE_VALIDATORS = {"resource", "transport", "parser-dos", "session"}


def _lines(name: str) -> list[Any]:
    """(operations, statement, part of the message) of each line that is neither a comment nor a heading."""
    cases = []
    for line in (FIXTURES / "validator" / name).read_text().splitlines():
        if line.startswith(("-- ", "# ")):
            continue
        match = _CASE.fullmatch(line)
        assert match, line
        words, sql, message = match.groups()
        operations = OPERATIONS if words is None else frozenset(filter(None, words.split(",")))
        cases.append(pytest.param(operations, sql, message, id=line[:70]))
    return cases


@pytest.mark.parametrize(("operations", "sql", "message"), _lines("allowed.sql"))
def test_allowed(operations: frozenset[str], sql: str, message: str | None) -> None:
    facts = VALIDATOR.judge(sql, Tenant("tenant_a", operations))
    assert facts.operations <= operations
    if operations != OPERATIONS:
        for operation in operations - {"INSERT"}:
            with pytest.raises(ParseError, match="is not allowed"):
                VALIDATOR.judge(sql, Tenant("tenant_a", operations - {operation}))


@pytest.mark.parametrize(("operations", "sql", "message"), _lines("refused.sql"))
def test_refused(operations: frozenset[str], sql: str, message: str) -> None:
    with pytest.raises(ParseError) as refusal:
        VALIDATOR.judge(sql, Tenant("tenant_a", operations))
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("Parse error: ")


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in corpus("accepts.jsonl")])
def test_corpus_accepts(case: dict[str, Any]) -> None:
    for sql in [*case.get("setup", ()), case.get("sql")]:
        if sql is not None:
            operations = OPERATIONS if sql != case.get("sql") else frozenset(case["token_ops"])
            VALIDATOR.judge(text(sql), Tenant("tenant_a", operations))


ATTACKS = [
    case
    for case in corpus("attacks.jsonl")
    if "validator" in case.get("walls", ["validator"]) and case["class"] not in NOT_THE_VALIDATORS and "sql" in case
]


def _is_stopped(sql: str, operations: list[str]) -> bool:
    """Whether the statement is refused, here or by the executor because no function of the tenant has its name."""
    try:
        return bool(VALIDATOR.judge(text(sql), Tenant("tenant_a", frozenset(operations))).own_functions)
    except ParseError:
        return True


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in ATTACKS])
def test_corpus_attacks(case: dict[str, Any]) -> None:
    steps = [step for step in case.get("before", ()) if step.get("as") == "attacker"] + [case]
    assert any(_is_stopped(step["sql"], step["token_ops"]) for step in steps)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in corpus("attacks.jsonl") if case["class"] == "parser-dos"]
)
def test_every_text_is_judged_at_once(case: dict[str, Any]) -> None:
    """Whatever the judgement: a parser that takes exponential time would run into the suite's time limit."""
    with contextlib.suppress(ParseError):
        VALIDATOR.judge(text(case["sql"]), Tenant("tenant_a", OPERATIONS))


@given(st.text(max_size=60) | st.text(alphabet="SELECTFROMselect'\"$()[],.;:*/-+ \n1aU&E\\", max_size=60))
def test_any_text_is_judged(text: str) -> None:
    with contextlib.suppress(ParseError):
        VALIDATOR.judge(text, Tenant("tenant_a", OPERATIONS))


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT * FROM users WHERE id IN ({','.join(map(str, range(20_000)))})",
        f"INSERT INTO users VALUES {','.join(['($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)'] * 2_000)}",
        f"SELECT * FROM users WHERE {' AND '.join(['id > 1'] * 9_000)}",
        "SELECT " + "(" * 100 + "1" + ")" * 100,
    ],
    ids=["in", "values", "and", "parentheses"],
)
def test_large_statements_of_applications_pass(sql: str) -> None:
    VALIDATOR.judge(sql, Tenant("tenant_a", OPERATIONS))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"SELECT {'1,' * 5_000_000}1", "more than 1048576 characters; send large values as parameters"),
        (f"SELECT {'1,' * 500_000}1", "more than 80000 steps"),
        (f"SELECT 1 {'+' * 1_000_000}", "more than 256 characters of operators in a row"),
        (f"SELECT {'+-' * 100_000}1", "more than 256 characters of operators in a row"),
        (f"SELECT {'(' * 50_000}1", "nested more than 256 levels deep"),
    ],
    ids=["characters", "list", "operator", "signs", "parentheses"],
)
def test_what_would_hold_a_worker_is_refused(sql: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        VALIDATOR.judge(sql, Tenant("tenant_a", OPERATIONS))


@pytest.mark.parametrize(
    ("limits", "fits", "sql", "message"),
    [
        (TextLimits(characters=9), "SELECT 12", "SELECT 123", "more than 9 characters"),
        (
            TextLimits(steps=10),
            "SELECT a, b",
            "SELECT a, b, c",
            "more than 10 steps; send it in parts .line 1, column 12",
        ),
        (TextLimits(steps=10), "SELECT 1, 2, 3, 4", "SELECT 1, 2, 3, 4, 5", "more than 10 steps"),
        (TextLimits(nesting=16), f"SELECT {'(' * 7}1{')' * 7}", f"SELECT {'(' * 9}1{')' * 9}", "more than 16 levels"),
    ],
    ids=["characters", "words", "constants", "nesting"],
)
def test_the_limits_are_those_that_are_given(limits: TextLimits, fits: str, sql: str, message: str) -> None:
    tenant = Tenant("tenant_a", OPERATIONS)
    Validator(limits).judge(fits, tenant)
    VALIDATOR.judge(sql, tenant)
    with pytest.raises(ParseError, match=message):
        Validator(limits).judge(sql, tenant)


def _sets(number: int, tables: int = 1) -> str:
    listed = ", ".join(f"(a{column})" for column in range(number))
    return "SELECT 1 FROM t GROUP BY " + ", ".join([f"GROUPING SETS ({listed})"] * tables)


def _copies(levels: int, words: str) -> str:
    ctes = ", ".join(f"c{level + 1} AS {words} (SELECT * FROM c{level} AS a, c{level} AS b)" for level in range(levels))
    return f"WITH c0 AS {words} (SELECT 1 AS x), {ctes} SELECT * FROM c{levels}"


@pytest.mark.parametrize(
    ("fits", "too_much", "message"),
    [
        (_sets(1_000), _sets(1_001), "more than 1000 grouping sets"),
        (_sets(10, 3), _sets(11, 3), "more than 1000 grouping sets"),
        ("SELECT 1 FROM t GROUP BY CUBE (a, b, c, d, e, f, g, h, i, j, k, l)", _sets(16, 3), "grouping sets"),
        (
            " UNION ALL ".join(["SELECT 1 FROM t GROUP BY ROLLUP (a, b)"] * 100),
            " UNION ALL ".join([_sets(100)] * 11),
            "more than 1000 grouping sets",
        ),
        (_copies(12, "NOT MATERIALIZED"), _copies(14, "NOT MATERIALIZED"), "more than 10000 copies"),
        (_copies(30, ""), _copies(30, "NOT MATERIALIZED"), "more than 10000 copies"),
    ],
    ids=["listed sets", "a product", "cube", "a sum", "copies", "materialized"],
)
def test_what_the_planner_takes_long_for_is_bounded(fits: str, too_much: str, message: str) -> None:
    tenant = Tenant("tenant_a", OPERATIONS)
    VALIDATOR.judge(fits, tenant)
    with pytest.raises(ParseError, match=message):
        VALIDATOR.judge(too_much, tenant)
