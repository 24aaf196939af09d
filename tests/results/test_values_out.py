"""What comes out of PostgreSQL, row by row of the table: our own encoding, and PostgreSQL's to_json beside it."""

import json
from typing import Any

import psycopg
import pytest
from support.service import Service
from support.values import TYPES, table, value_of

from postgate.postgres import catalog

ROWS = table("out.tsv")


@pytest.fixture(scope="module")
def views(shared_service: Service) -> Service:
    """A view v<n> with a column v for each row of the table."""
    views = [f"CREATE VIEW v{n} AS SELECT {row[0]} AS v" for n, row in enumerate(ROWS)]
    shared_service.execute(";\n".join([TYPES, *views]))
    return shared_service


def normal(text: str) -> Any:
    """JSON with numbers as they are written."""
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=list)


@pytest.mark.parametrize("n", range(len(ROWS)), ids=[row[0] for row in ROWS])
def test_a_value_comes_out_as_the_table_says(views: Service, n: int) -> None:
    expected = ROWS[n][1]
    found = value_of(views.query(f"SELECT v FROM v{n}").text)
    assert normal(found) == normal(expected)
    if "\\u" not in expected:
        assert found == expected


@pytest.mark.parametrize(
    "n", [n for n, row in enumerate(ROWS) if len(row) == 2], ids=[row[0] for row in ROWS if len(row) == 2]
)
def test_it_is_what_to_json_says(views: Service, n: int) -> None:
    with psycopg.connect(views.conninfo, options="-c TimeZone=UTC") as connection:
        ((said,),) = connection.execute(f"SELECT to_json(v)::text FROM v{n}").fetchall()
    assert normal(said or "null") == normal(ROWS[n][1])


def test_all_the_columns_of_a_row_in_their_order(views: Service) -> None:
    numbers = [n for n, row in enumerate(ROWS) if row[1] != "null"]
    columns = ", ".join(f"v{n}.v AS c{n}" for n in numbers)
    answer = views.query(f"SELECT {columns} FROM {', '.join(f'v{n}' for n in numbers)}")
    pairs = normal(answer.text)[0][1][0]
    assert [name for name, _ in pairs] == [f"c{n}" for n in numbers]
    assert [value for _, value in pairs] == [normal(ROWS[n][1]) for n in numbers]


def test_types_that_are_new_to_the_service_are_looked_up_in_time(service: Service) -> None:
    service.execute("CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (m mood[])")
    assert service.query("SELECT m FROM t").text == '{"rows":[],"row_count":0}'
    for expected in ([["a", "b"]], [["a", "b"]] * 2):
        assert service.query("INSERT INTO t VALUES ('{a,b}') RETURNING m").rows == [{"m": ["a", "b"]}]
        assert [row["m"] for row in service.query("SELECT m FROM t").rows] == expected


@pytest.mark.parametrize("name", ["%", "%b", 'a"b', "ä", "a b", "\\", "{}", "\n"])
def test_names_of_columns_come_out_as_they_are(shared_service: Service, name: str) -> None:
    quoted = name.replace('"', '""')
    assert shared_service.query(f'SELECT 1 AS "{quoted}", 2 AS b').rows == [{name: 1, "b": 2}]


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 1 AS a, 2 AS b, 3 AS a", '{"rows":[{"a":3,"b":2}],"row_count":1}'),
        ("SELECT 1 AS a, NULL AS a", '{"rows":[{"a":null}],"row_count":1}'),
        ("SELECT 1, 2, 'x'", '{"rows":[{"?column?":"x"}],"row_count":1}'),
        (
            "SELECT * FROM (VALUES (1, 2)) AS x (id, n) JOIN (VALUES (3, 2)) AS y (id, n) ON x.n = y.n",
            '{"rows":[{"id":3,"n":2}],"row_count":1}',
        ),
        ("SELECT 1 AS a, 2 AS a WHERE false", '{"rows":[],"row_count":0}'),
    ],
)
def test_of_two_columns_of_one_name_the_last_one_wins(shared_service: Service, sql: str, text: str) -> None:
    """As in the original, node-postgres, psycopg and Neon's driver."""
    assert shared_service.query(sql).text == text


OF_SEVENTY = json.dumps({f"a{n}": n + 70 for n in range(70)}).replace(" ", "")
# What differs in one respect only from another one: the types, the names, or how the client wants them.
ALIKE: list[tuple[str, dict[str, str], str]] = [
    ("SELECT 12345678901::int8 AS a", {}, '[{"a":12345678901}]'),
    ("SELECT 12345678901::int8 AS a", {"numbers": "string"}, '[{"a":"12345678901"}]'),
    ("SELECT 12345678901::int8 AS a", {"row_mode": "array"}, "[[12345678901]]"),
    ("SELECT 12345678901::int8 AS a", {"row_mode": "array", "numbers": "string"}, '[["12345678901"]]'),
    ("SELECT '12345678901' AS a", {}, '[{"a":"12345678901"}]'),
    ("SELECT '12345678901'::alike AS a", {}, '[{"a":"12345678901"}]'),
    ("SELECT '{12345678901}'::alike[] AS a", {}, '[{"a":["12345678901"]}]'),
    ("SELECT '{12345678901}'::int8[] AS a", {}, '[{"a":[12345678901]}]'),
    ("SELECT 12345678901::int8 AS b", {}, '[{"b":12345678901}]'),
    ("SELECT 1 AS a, 12345678901::int8 AS a", {}, '[{"a":12345678901}]'),
    ("SELECT 1 AS a, 12345678901::int8 AS a", {"row_mode": "array"}, "[[1,12345678901]]"),
    ("SELECT 12345678901::int8 AS a UNION ALL SELECT NULL", {}, '[{"a":12345678901},{"a":null}]'),
    ("SELECT NULL::int8 AS a", {}, '[{"a":null}]'),
    ("SELECT 12345678901::int8 AS a WHERE false", {}, "[]"),
    (
        "SELECT " + ", ".join(f"{n} AS a{n % 70}" for n in range(140)),
        {},
        f"[{OF_SEVENTY}]",
    ),
]


def test_what_is_remembered_of_columns_is_of_no_others(service: Service) -> None:
    service.execute("CREATE TYPE alike AS ENUM ('12345678901')")
    for _ in range(3):
        for sql, options, rows in ALIKE:
            answer = service.post(json.dumps({"sql": sql, **options}).encode())
            assert f'"rows":{rows},' in answer.text, sql


def test_a_row_without_columns(shared_service: Service) -> None:
    assert shared_service.query("SELECT FROM postgate_databases").text == '{"rows":[{}],"row_count":1}'


def test_an_anonymous_row_is_text(shared_service: Service) -> None:
    assert shared_service.query("SELECT ROW(1, NULL, 'a') AS v, ARRAY[ROW(1, 2)] AS w").rows == [
        {"v": "(1,,a)", "w": ["(1,2)"]}
    ]


def test_xml_where_the_server_has_it(service: Service) -> None:
    try:
        service.execute("""CREATE VIEW v AS SELECT '<a b="c">d</a>'::xml AS v""")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server was built without xml")
    assert service.query("SELECT v FROM v").rows == [{"v": '<a b="c">d</a>'}]


def test_types_on_types_are_looked_up_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = 150
    domains = "".join(f"CREATE DOMAIN d{level + 1} AS d{level}[];" for level in range(levels))
    service.execute(f"CREATE DOMAIN d0 AS text; {domains}")
    service.execute(f"CREATE TABLE t (a d{levels}, b d3)")
    service.execute("INSERT INTO t VALUES (NULL, ARRAY[ARRAY[ARRAY['x', 'y']::d1]::d2]::d3)")
    asked: list[object] = []
    look_up = catalog._look_up
    monkeypatch.setattr(catalog, "_look_up", lambda *arguments: asked.append(arguments) or look_up(*arguments))
    for _ in range(2):
        assert service.query("SELECT a, b FROM t").rows == [{"a": None, "b": [[["x", "y"]]]}]
    assert len(asked) == 1
