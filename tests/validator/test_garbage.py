"""What a large statement was made of is freed piece by piece, not in one go that stops the whole process."""

import gc

import pytest

from postgate.validator.analysis import analyse
from postgate.validator.facts import Facts, Refusal

NAMES = ", ".join(f"lower(c{number})" for number in range(3_000))
SUMS = " + ".join(f"({number} + x)" for number in range(4_000))
VALUES = ", ".join(f"(now(), {number})" for number in range(3_000))
TEXTS = [
    f"SELECT {NAMES} FROM t",
    f"SELECT {SUMS} FROM t",
    f"INSERT INTO t VALUES {VALUES}",
    f"SELECT {NAMES} FROM pg_class",
]


@pytest.mark.parametrize("end", ["", " WHERE", " x y z", " WHERE pg_sleep(1) IS NULL"])
@pytest.mark.parametrize("text", TEXTS, ids=["names", "sums", "values", "catalog"])
def test_a_large_statement_leaves_no_garbage(text: str, end: str) -> None:
    gc.collect()
    gc.disable()
    try:
        outcome = analyse(text + end)
        left = gc.collect()
    finally:
        gc.enable()
    assert isinstance(outcome, Facts if not end and "pg_class" not in text else Refusal)
    assert left < 500
