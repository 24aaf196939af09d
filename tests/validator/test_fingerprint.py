"""A fingerprint groups statements as PostgreSQL's own query identifier does, where a text can tell."""

import json
from itertools import combinations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.paths import FIXTURES
from support.service import Service

from postgate.validator.analysis import analyse
from postgate.validator.fingerprint import without_constants
from postgate.validator.limits import TextLimits
from postgate.validator.reading.lexer import read

CASES = [json.loads(line) for line in (FIXTURES / "fingerprints.jsonl").read_text().splitlines()]
# In some cases PostgreSQL takes texts apart that we take together ("theirs"), or the other way round ("ours").
TOGETHER = [case["same"] for case in CASES if "ours" not in case]
TEXTS = sorted({text for case in CASES if len(case) == 1 for text in case["same"]})


def of(text: str) -> str:
    fingerprint = analyse(text).fingerprint
    assert fingerprint, text
    return fingerprint


@pytest.mark.parametrize("texts", TOGETHER, ids=lambda texts: texts[0])
def test_constants_and_white_space_make_no_difference(texts: list[str]) -> None:
    assert len({of(text) for text in texts}) == 1


@pytest.fixture(scope="module")
def query_ids(shared_service: Service) -> dict[str, int]:
    """What PostgreSQL calls each text."""
    found = {}
    with psycopg.connect(shared_service.conninfo) as connection:
        connection.execute("SET compute_query_id = on")
        connection.execute("CREATE TEMP TABLE t (a int, b text, c bool)")
        for text in TEXTS:
            # With parameters there is no plan without values, unless it is a generic one, which 15 cannot explain.
            if "$1" in text:
                continue
            plan = connection.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) {text}".encode()).fetchall()[0][0]
            found[text] = plan[0]["Query Identifier"]
    return found


def test_it_groups_as_postgresql_does(query_ids: dict[str, int]) -> None:
    for one, other in combinations(query_ids, 2):
        assert (of(one) == of(other)) == (query_ids[one] == query_ids[other]), (one, other)
    assert len(query_ids) > 45


@pytest.mark.parametrize("case", [case for case in CASES if "ours" in case], ids=lambda case: case["ours"])
def test_what_only_a_parse_tells_is_told_apart(case: dict[str, list[str]]) -> None:
    one, other = case["same"]
    assert of(one) != of(other)


@pytest.mark.parametrize("text", ["SELEC a", "SELECT a FROM pg_catalog.pg_class", "SELECT set_config('a', 'b', true)"])
def test_what_is_refused_has_one_too(text: str) -> None:
    assert of(text) == of(text.lower())


def test_what_is_no_text_of_tokens_has_none() -> None:
    assert analyse("SELECT 'a").fingerprint == ""


@given(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0'")), st.integers(), st.floats(0, 1e9)
)
def test_no_constant_is_left(text: str, number: int, fraction: float) -> None:
    marked = f"canary{text}"
    sql = f"SELECT '{marked}', {number}, {fraction!r}, '{marked}'::text, E'{marked.replace(chr(92), '')}' FROM t"
    left = without_constants(read(sql).tokens)
    assert "canary" not in left
    assert not any(character.isdigit() for character in left)


def test_a_value_in_the_wrong_quotes_is_left_out() -> None:
    text = 'SELECT a FROM "users" WHERE name = "Jane Doe" AND "createdAt" > 1'
    assert without_constants(read(text).tokens) == 'select a from users where name = "?" and "createdAt" > ?'


@pytest.mark.parametrize("word", ["in (", "values (", "array[", "values (1), ", "in (1,", "- ", "(null, "])
def test_no_text_takes_long(word: str) -> None:
    """Of so many words the square would not be gone through within a test's time."""
    tokens = read(word * 100_000, TextLimits(characters=10_000_000, steps=10_000_000)).tokens
    assert without_constants(tokens)
