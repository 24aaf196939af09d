"""The tables of values in fixtures/values."""

from support.paths import FIXTURES

VALUES = FIXTURES / "values"
TYPES = (VALUES / "types.sql").read_text()


def table(name: str) -> list[list[str]]:
    lines = (VALUES / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("# ")]


def value_of(answer: str) -> str:
    """The one value of an answer with one row and a column v, to the byte."""
    start, end = '{"rows":[{"v":', '}],"row_count":1}'
    assert answer.startswith(start), answer
    assert answer.endswith(end), answer
    return answer[len(start) : -len(end)]
