"""What goes into PostgreSQL: the table of parameters row by row, and round trips of whatever hypothesis thinks of."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.service import Service
from support.values import TYPES, table, value_of

ROWS = table("in.tsv")
ROUND_TRIPS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BODY = '{"sql": %s, "params": [%s]}'

words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-(2**63), 2**63 - 1)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**15), max_value=10**15)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def tables(shared_service: Service) -> Service:
    """A table t<n> with a column v for each row of the table, and one for each round trip."""
    made = [f"CREATE TABLE t{n} (v {row[0]})" for n, row in enumerate(ROWS)]
    made += [f"CREATE TABLE of_{name} (v {name})" for name in ("text", "int8", "numeric", "jsonb", "float8")]
    made += ["CREATE TABLE of_texts (v text[])", "CREATE TABLE of_jsonbs (v jsonb[])"]
    shared_service.execute(";\n".join([TYPES, *made]))
    return shared_service


def insert(service: Service, relation: str, parameter: str) -> str:
    """The JSON that one JSON parameter comes back as."""
    sql = json.dumps(f"INSERT INTO {relation} VALUES ($1) RETURNING v")
    return value_of(service.post((BODY % (sql, parameter)).encode()).text)


def back(service: Service, relation: str, value: Any) -> Any:
    return json.loads(insert(service, relation, json.dumps(value)))


@pytest.mark.parametrize("n", range(len(ROWS)), ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_a_parameter_goes_in_as_the_table_says(tables: Service, n: int) -> None:
    _, parameter, expected = ROWS[n]
    assert insert(tables, f"t{n}", parameter) == (parameter if expected == "=" else expected)


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ("1", "1"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("1" + "0" * 5000, "1" + "0" * 5000),
        ("1.50", "1.50"),
        ("1e2", "100"),
        ("true", "true"),
        ('"text"', '"text"'),
        ("null", "null"),
        ('{"a": [1.50, "b"]}', '{"a": [1.50, "b"]}'),
        ('[1, [2, null], "a"]', '[1, [2, null], "a"]'),
    ],
)
def test_where_nothing_tells_the_type_json_decides(shared_service: Service, parameter: str, expected: str) -> None:
    body = BODY % ('"SELECT $1 AS v"', parameter)
    assert value_of(shared_service.post(body.encode()).text) == expected


def test_a_cast_decides(shared_service: Service) -> None:
    sql = "SELECT $1::date AS a, $2::int[] AS b, $3::text AS c, $4::jsonb AS d"
    row = {"a": "2024-01-31", "b": [1, 2], "c": "5", "d": [1, {"a": None}]}
    assert shared_service.query(sql, "2024-01-31", [1, 2], 5, [1, {"a": None}]).rows == [row]


def test_any_takes_an_array(shared_service: Service) -> None:
    sql = "SELECT count(*) FROM postgate_databases WHERE max_rows = ANY($1)"
    for given_numbers, count in [([1, 1000], 1), ([], 0), ([None, 5], 0)]:
        assert shared_service.query(sql, given_numbers).rows == [{"count": count}]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT count(*) AS n FROM pets WHERE id IN ($1)", [1, 2]),
        ("SELECT count(*) AS n FROM pets WHERE name IN ($1)", ["Rex", "Tom"]),
        ("SELECT count(*) AS n FROM pets WHERE name NOT IN (('x'), ($1))", ["Rex", "Tom"]),
        ("DELETE FROM pets WHERE name IN ($1)", []),
    ],
)
def test_in_takes_no_array(pets: Service, sql: str, value: list[object]) -> None:
    answer = pets.query(sql, value)
    assert (answer.code, answer.json["reason"], answer.json["parameter"]) == ("PARSE_ERROR", "parameters", 1)
    assert "= ANY($1)" in answer.json["hint"]


def test_in_takes_what_is_compared(pets: Service) -> None:
    assert pets.query("SELECT count(*) AS n FROM pets WHERE tags IN ($1)", ["a", "b"]).rows == [{"n": 1}]
    assert pets.query("SELECT count(*) AS n FROM pets WHERE facts IN ($1)", ["a", 1]).rows == [{"n": 1}]
    assert pets.query("SELECT count(*) AS n FROM pets WHERE (id, name) IN (($1, $2))", 1, "Rex").rows == [{"n": 1}]


@pytest.fixture(scope="module")
def pets(shared_service: Service) -> Service:
    shared_service.execute("""CREATE TABLE pets (id int, name text, tags text[], facts jsonb);
        INSERT INTO pets VALUES (1, 'Rex', '{a,b}', '["a", 1]')""")
    return shared_service


def test_a_placeholder_that_the_statement_leaves_out(shared_service: Service) -> None:
    assert shared_service.query("SELECT $2::int AS v", "unused", 5).rows == [{"v": 5}]


def test_a_column_that_becomes_an_array_is_noticed(service: Service) -> None:
    service.execute("CREATE TABLE t (v jsonb)")
    sql = "INSERT INTO t VALUES ($1) RETURNING v"
    assert service.query(sql, [1, 2]).rows == [{"v": [1, 2]}]
    service.execute("DROP TABLE t; CREATE TABLE t (v int[])")
    assert service.query(sql, [1, 2]).rows == [{"v": [1, 2]}]
    service.execute("DROP TABLE t; CREATE TABLE t (v jsonb)")
    assert service.query(sql, [1, {"a": 2}]).rows == [{"v": [1, {"a": 2}]}]


def test_as_many_parameters_as_the_protocol_has(shared_service: Service) -> None:
    sql = f"SELECT count(*) FROM (VALUES {','.join(f'(${n}::int)' for n in range(1, 2001))}) AS v"
    assert shared_service.query(sql, *range(2000)).rows == [{"count": 2000}]


@pytest.mark.parametrize(
    ("relation", "strategy"),
    [
        ("of_text", words),
        ("of_int8", integers),
        ("of_jsonb", st.lists(documents, max_size=4)),
        ("of_jsonb", st.dictionaries(words, documents, max_size=4)),
        ("of_float8", st.floats(allow_nan=False, allow_infinity=False)),
        ("of_texts", st.lists(words | st.none(), max_size=6)),
        ("of_texts", st.lists(st.lists(words, min_size=2, max_size=2), min_size=1, max_size=3)),
        ("of_jsonbs", st.lists(documents, max_size=4)),
    ],
)
def test_what_goes_in_comes_out(tables: Service, relation: str, strategy: st.SearchStrategy[Any]) -> None:
    @ROUND_TRIPS
    @given(strategy)
    def round_trip(value: Any) -> None:
        assert back(tables, relation, value) == value

    check: Callable[[], None] = round_trip
    check()


@ROUND_TRIPS
@given(decimals.map(str).filter(lambda text: "E" not in text))
def test_every_digit_of_a_number_survives(tables: Service, digits: str) -> None:
    assert insert(tables, "of_numeric", digits) == digits.replace("-0.000000000", "0.000000000")
