"""The lexer takes the same tokens as PostgreSQL's scanner, of which pglast has a copy."""

import json
import random
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pglast import ast, parse_sql
from pglast.parser import ParseError, scan
from support.paths import FIXTURES

from postgate.validator.analysis import analyse
from postgate.validator.facts import Refusal
from postgate.validator.lists.keywords import BARE_LABEL, COL_NAME, KEYWORDS, RESERVED, TYPE_FUNC_NAME, UNRESERVED
from postgate.validator.reading.lexer import LexError, Token, read, tokenize, without_comments

Spans = list[tuple[str, int, int]]


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / path).read_text().splitlines()]


ACCEPTED = lines("lexer/accepted.jsonl")
REFUSED = lines("lexer/refused.jsonl")
CORPUS = [line["sql"] for file in ("accepts", "attacks") for line in lines(f"corpus/{file}.jsonl")]

# PostgreSQL's names of the tokens that are not named after themselves.
OPERATORS = "LESS_EQUALS GREATER_EQUALS NOT_EQUALS Op".split() + [f"ASCII_{ord(c)}" for c in "+-*/%^<>="]
KINDS = {"TYPECAST": "::", "COLON_EQUALS": ":=", "EQUALS_GREATER": "=>", "DOT_DOT": "..", "USCONST": "SCONST"}
KINDS |= {f"ASCII_{ord(c)}": c for c in "()[],.;:"} | dict.fromkeys(OPERATORS, "OP")
COMMENTS = ("SQL_COMMENT", "C_COMMENT")


def postgresql(sql: str) -> Spans | None:
    """(kind, start, end) of each token, or None when PostgreSQL's scanner refuses the text."""
    try:
        found = [token for token in scan(sql) if token.name not in COMMENTS]
    except ParseError:
        return None
    # Single characters that no statement has; the keyword UNKNOWN has the same name, and a kind.
    if any(token.name in ("UNKNOWN", "ASCII_36", "ASCII_92") and token.kind == "NO_KEYWORD" for token in found):
        return None
    return [(kind_of(token, sql), token.start, token.end + 1) for token in found]


def kind_of(token: Any, sql: str) -> str:
    if token.kind != "NO_KEYWORD":
        return "IDENT"
    if token.name in ("IDENT", "UIDENT"):
        return "QIDENT" if token.name == "UIDENT" or sql[token.start] == '"' else "IDENT"
    return str(KINDS.get(token.name, token.name))


def ours(sql: str) -> Spans | None:
    try:
        return [(token.kind, token.start, token.end) for token in tokenize(sql)]
    except LexError as error:
        assert error.place is not None
        assert 0 < error.place.position <= len(sql) + 1
        return None


def without_escape_clauses(spans: Spans, sql: str) -> Spans:
    """The spans with UESCAPE and its string made part of the string before, as PostgreSQL's parser does it."""
    joined: Spans = []
    rest = iter(spans)
    for kind, start, end in rest:
        before = sql[joined[-1][1] : joined[-1][1] + 2].lower() if joined else ""
        if before == "u&" and kind == "IDENT" and sql[start:end].lower() == "uescape":
            _, _, end = next(rest)
            joined[-1] = (joined[-1][0], joined[-1][1], end)
        else:
            joined.append((kind, start, end))
    return joined


def refused_on_purpose(sql: str) -> bool:
    """Whether the lexer may refuse what this version's scanner takes."""
    with pytest.raises(LexError) as caught:
        tokenize(sql)
    return any(
        part in str(caught.value)
        for part in (
            "\\x0b",  # white space from PostgreSQL 16 on
            "the escape \\v",  # as above
            "a parameter's number",  # refused by PostgreSQL only when it runs
            "trailing junk",  # `1$1`, which nobody writes
            "nicode",  # PostgreSQL decodes U&'' after its scanner, in the parser
            "UESCAPE",  # as above
            "lone surrogate",
            "NUL",  # pglast ends the text there
        )
    )


def assert_same(sql: str) -> None:
    theirs, mine = postgresql(sql), ours(sql)
    if theirs is None or mine is None:
        assert mine is None, f"taken, but refused by PostgreSQL: {sql!r}"
        assert theirs is None or refused_on_purpose(sql), f"refused, but taken by PostgreSQL: {sql!r}"
    else:
        assert mine == without_escape_clauses(theirs, sql)


def identifier(case: dict[str, Any]) -> str:
    return repr(case["sql"])[:60]


@pytest.mark.parametrize("case", ACCEPTED, ids=identifier)
def test_tokens(case: dict[str, Any]) -> None:
    tokens = tokenize(case["sql"])
    assert [[token.kind, token.value, token.start, token.end] for token in tokens] == case["tokens"]
    assert all(token.text == case["sql"][token.start : token.end] for token in tokens)
    assert_same(case["sql"])


@pytest.mark.parametrize("case", REFUSED, ids=identifier)
def test_refused(case: dict[str, Any]) -> None:
    with pytest.raises(LexError) as caught:
        tokenize(case["sql"])
    before = case["sql"][: case["offset"]]
    place = f"(line {before.count(chr(10)) + 1}, column {len(before.rpartition(chr(10))[2]) + 1})"
    assert str(caught.value) == f"{case['message']} {place}"
    assert caught.value.place is not None
    assert caught.value.place.position == case["offset"] + 1
    if not any(0xD800 <= ord(char) <= 0xDFFF for char in case["sql"]) and "\0" not in case["sql"]:
        assert_same(case["sql"])


@pytest.mark.parametrize("case", ACCEPTED, ids=identifier)
def test_values(case: dict[str, Any]) -> None:
    """Strings and names mean to PostgreSQL what the lexer says."""
    for token in tokenize(case["sql"]):
        if token.kind in ("SCONST", "QIDENT", "BCONST", "XCONST"):
            assert parsed(token) == token.value


def parsed(token: Token) -> str:
    is_name = token.kind == "QIDENT"
    statement = parse_sql(f"SELECT 1 AS {token.text}" if is_name else f"SELECT {token.text}")[0].stmt
    assert isinstance(statement, ast.SelectStmt)
    target = statement.targetList[0]
    if is_name:
        return str(target.name)
    # PostgreSQL marks bit strings with a letter in front.
    return str(target.val.val.sval) if token.kind == "SCONST" else str(target.val.val.bsval)[1:]


PIECES = r"""
' '' " "" $$ $ $a$ $1 $é$ /* */ -- E' e'\ U&' u&" U& N' B' X' UESCAPE '!' \ \u0041 \x4 \' \D83D \+01F600 \101 !0041
a A é _ x1 select 0 1 12 1_0 0x1F 0b1 1e 1e5 1.5 . .. : :: := => = < > <> != <= + - * / +- -+ % ^ @ # & | ~ ? ` ! , ;
( ) [ ] 😀
""".split()
PIECES += [" ", "\t", "\n", "\r", "\f", "\v", "\n'", "-- "]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example("'a'\n\v'b'")
@settings(max_examples=3_000, deadline=None)
def test_composed_texts(sql: str) -> None:
    assert_same(sql)


@given(st.text(max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_text(sql: str) -> None:
    if "\0" not in sql:
        assert_same(sql)


ESCAPES = r"""
'' "" \\ \' \b \f \n \q \1 \0 \101 \377 \x \x4 \xc3 \xa9 \u \u0041 \u00e9 \uD83D \uDE00 \U0001F600 \U00110000
\0041 \00e9 \D83D \DE00 \+01F600 \0000 !0041 !! !D83D !DE00 ! 1 a é 😀
""".split()
ESCAPES += ["'\n'", "'\n--c\n'"]
QUOTES = (("'", "'"), ("E'", "'"), ("U&'", "'"), ("U&'", "' UESCAPE '!'"), ("B'", "'"), ('"', '"'), ('U&"', '"'))


@given(st.sampled_from(QUOTES), st.lists(st.sampled_from(ESCAPES), max_size=6).map("".join))
@settings(max_examples=3_000, deadline=None)
def test_composed_values(quotes: tuple[str, str], body: str) -> None:
    sql = quotes[0] + body + quotes[1]
    try:
        tokens = tokenize(sql)
    except LexError:
        with pytest.raises((ParseError, UnicodeDecodeError)):
            parse_sql(("SELECT 1 AS " if '"' in quotes[1] else "SELECT ") + sql)
    else:
        for token in tokens:
            if token.kind in ("SCONST", "QIDENT", "BCONST"):
                assert parsed(token) == token.value


def test_mutated_statements() -> None:
    chance = random.Random(4)  # noqa: S311
    texts = [sql for sql in CORPUS if len(sql) < 2_000 and "\0" not in sql]
    for _ in range(10_000):
        sql = chance.choice(texts)
        for _ in range(chance.randint(1, 3)):
            start = chance.randint(0, len(sql))
            sql = sql[:start] + chance.choice(PIECES) + sql[start + chance.randint(0, 2) :]
        assert_same(sql)


@pytest.mark.parametrize(
    "unit",
    (
        "$a$ $ab$a",
        "/*/*",
        "/**/",
        "+/**/",
        "+-",
        "*+",
        "@",
        "'a' ",
        "''",
        "\\'",
        '"" ',
        "'a'\n",
        "'a' -- \n",
        "U&'a' ",
        "U&'\\0061'\n ",
        "E'\\'\\\\' ",
        "1_0",
        "1.e",
        "$1",
        "$a",
        "a",
        "é",
        "--",
        "--\n",
        " \n",
        "((",
        "1..",
        "0x",
    ),
)
@pytest.mark.parametrize("before", ("", "'", "E'", "U&'", "$a$", '"', "/*", "0x1"))
def test_takes_linear_time(before: str, unit: str) -> None:
    """What is quadratic takes minutes at this size."""
    sql = before + unit * (200_000 // len(unit))
    start = time.process_time()
    ours(sql)
    assert time.process_time() - start < 3


def test_keywords() -> None:
    assert {"select", "from", "user"} <= RESERVED
    assert "between" in COL_NAME and "left" in TYPE_FUNC_NAME and "abort" in UNRESERVED
    assert len(UNRESERVED) + len(COL_NAME) + len(TYPE_FUNC_NAME) + len(RESERVED) == len(KEYWORDS)
    assert "select" in BARE_LABEL and "from" not in BARE_LABEL


COMMENTED = [
    "SELECT 1 -- a 'b\n + 2 /* x /* y */ z */ || 'c--d' /**/",
    "select/**/1/*'*/,/*\n*/2",
    "SELECT E'a' -- q\n 'b', '--', '/*', $a$ /* $a$, \"--\", a /* é😀 */ , b",
    "/* only */ SELECT --\r 1",
]


@pytest.mark.parametrize("sql", [*COMMENTED, *CORPUS])
def test_without_comments_every_token_stays_where_it_is(sql: str) -> None:
    try:
        tokens, comments = read(sql)
    except LexError:
        return
    text = without_comments(sql, comments)
    assert len(text) == len(sql)
    assert tokenize(text) == tokens
    assert [at for at, char in enumerate(text) if char in "\n\r"] == [
        at for at, char in enumerate(sql) if char in "\n\r"
    ]


@pytest.mark.parametrize("sql", COMMENTED)
def test_a_text_without_comments_has_none(sql: str) -> None:
    assert {token.name for token in scan(without_comments(sql, read(sql).comments))}.isdisjoint({"C_COMMENT"})


@pytest.mark.parametrize("string", ["'a'", "E'a'", "U&'a'", "B'1'", "X'1'", "$$a$$", "date 'a'"])
@pytest.mark.parametrize("place", ["SELECT {}", "SELECT {} AS x", "SELECT f({})", "COMMENT ON TABLE t IS {}"])
def test_a_comment_that_parts_two_strings_is_never_taken_out(string: str, place: str) -> None:
    """Without it PostgreSQL would read them as one: no statement has two strings in a row."""
    for parted in (f"{string} /* x */\n'b'", f"{string}\n/* x */ 'b'", f"{string} /*\n*/ 'b'"):
        assert isinstance(analyse(place.format(parted)), Refusal)
