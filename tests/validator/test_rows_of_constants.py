"""A row of constants taken as one token means what its tokens mean."""

import random
import time
from collections.abc import Iterator

import pytest
from support.mutations import mutations

from postgate.validator import analysis
from postgate.validator.facts import Facts, Refusal
from postgate.validator.limits import DEFAULT, TextLimits
from postgate.validator.reading import lexer
from postgate.validator.reading.lexer import LexError, Reading, Token, read, tokenize

SEEDS = [
    "INSERT INTO t (a, b, c) VALUES (1, 'it''s', NULL), (-2, '', TRUE), (3.25, 'x', default)",
    "INSERT INTO t VALUES(1,2),( 'a' , 'b' ),\n\t(false,Null) ON CONFLICT (a) DO UPDATE SET b = 1, c = 2 RETURNING a",
    "SELECT * FROM (VALUES (1, 'one'), (2, 'two')) AS v (number, word) WHERE number IN (1, 2)",
    "WITH v AS (VALUES (1), (2)) INSERT INTO t SELECT * FROM v",
    "VALUES (1, 2), (3, 4) ORDER BY 1 LIMIT 1",
    "MERGE INTO t USING s ON t.a = s.a WHEN NOT MATCHED THEN INSERT VALUES (1, 'a')",
    "INSERT INTO t VALUES (1, now()), (2, 'b'), (3, 'c')",
    "INSERT INTO t VALUES (1, 'a'), ($1, 'b'), (3, ARRAY[1, 2])",
    "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES ('2026-01-01', 12345678901234567890)",
    "UPDATE t SET (a, b) = (1, 2) WHERE (a, b) IN (VALUES (1, 2), (3, 4))",
    "EXPLAIN VALUES (1), (2)",
    "SELECT s.values(1, 2), values",
]
BITS = [
    "'",
    "''",
    '"',
    "--",
    "/*",
    "*/",
    "\n",
    "\t",
    "\x0b",
    "\xa0",
    "-",
    "+",
    ".",
    "1",
    "e5",
    "E'",
    "N'",
    "U&'",
    "x",
    "_",
]
BITS += [
    "::int",
    "$1",
    "$$",
    "\\",
    "(",
    ")",
    ",",
    ";",
    " ",
    "null",
    "fal\u017fe",
    "NULL",
    "select",
    ".values",
    "values",
    "'\n'",
]


def mutants(count: int) -> Iterator[str]:
    yield from SEEDS
    yield from mutations(SEEDS, count, seed=3)
    chance = random.Random(5)  # noqa: S311 - no secret
    for _ in range(count):
        text = chance.choice(SEEDS)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(BITS) + text[at + chance.randint(0, 2) :]
        yield text


def expanded(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.kind != "ROW":
            yield token
            continue
        for part in tokenize(token.text):
            yield part._replace(start=token.start + part.start, end=token.start + part.end)


def test_its_tokens_are_those_of_the_text() -> None:
    rows = 0
    for text in mutants(20_000):
        try:
            alone = tokenize(text)
        except LexError:
            with pytest.raises(LexError):
                read(text, rows=True)
            continue
        together = read(text, rows=True).tokens
        assert list(expanded(together)) == alone, text
        rows += sum(token.kind == "ROW" for token in together)
    assert rows > 10_000


def test_a_statement_means_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = list(mutants(12_000))
    by_rows = [analysis.analyse(text) for text in texts]

    def token_by_token(sql: str, limits: TextLimits = DEFAULT, *, rows: bool = False) -> Reading:
        return lexer.read(sql, limits)

    monkeypatch.setattr(analysis, "read", token_by_token)
    accepted = 0
    for text, outcome in zip(texts, by_rows, strict=True):
        alone = analysis.analyse(text)
        if isinstance(outcome, Refusal):
            # The words of a refusal may quote the row.
            assert isinstance(alone, Refusal), text
        else:
            assert outcome == alone, text
            accepted += 1
    assert accepted > 1_000


def test_a_bulk_insert_is_a_handful_of_tokens() -> None:
    rows = ", ".join(f"({number}, 'name {number}', NULL)" for number in range(5_000))
    outcome = analysis.analyse(f"INSERT INTO t VALUES {rows}")
    assert isinstance(outcome, Facts) and outcome.operations == {"INSERT"}
    assert len(read(f"INSERT INTO t VALUES {rows}", rows=True).tokens) == 4 + 2 * 5_000 - 1


@pytest.mark.parametrize("unit", ["1, ", "'a', ", "''", "'''', ", "null , ", "   ", "-1.5,"])
def test_a_row_that_is_none_takes_time_in_proportion(unit: str) -> None:
    """It is tried once, and then taken token by token."""
    limits = TextLimits(steps=10_000_000)

    def seconds(count: int) -> float:
        text = "VALUES (" + unit * count + " now())"
        started = time.process_time()
        analysis.analyse(text, limits)
        return time.process_time() - started

    small = max(min(seconds(2_000) for _ in range(3)), 0.001)
    assert min(seconds(40_000) for _ in range(2)) < 20 * 5 * small
