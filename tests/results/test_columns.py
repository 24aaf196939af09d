"""A column encoded in a few calls is what its values are one by one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postgate.postgres.types import Type
from postgate.results.values import NULL, SCALARS, Encode, encode_column, encoder_of, text

# What PostgreSQL writes for values of a type, the rare ones too.
VALUES = {
    "boolean": (16, [b"t", b"f"]),
    "integer": (23, [b"0", b"-1", b"2147483647"]),
    "json": (114, [b'{"a": 1}', b"null", b'"\x7f"']),
    "text": (
        25,
        [b"", b"a", b'"', b"\\", b"\\u0000", b"\n", b"\x7f", "é\u2028\U0001f600".encode(), b"null", b"\xff", b"\x1f"],
    ),
    "real": (700, [b"1", b"-0.5", b"1e+20", b"NaN", b"Infinity", b"-Infinity"]),
    "numeric": (1700, [b"0.00", b"12345678901234567890.1", b"NaN", b"Infinity"]),
    "timestamp": (
        1114,
        [b"2026-01-01 00:00:00", b"0044-03-15 12:00:00 BC", b"infinity", b"-infinity", b"294276-12-31 23:59:59.999999"],
    ),
    "timestamptz": (
        1184,
        [b"2026-01-01 00:00:00+00", b"0044-03-15 12:00:00+00 BC", b"infinity", b"2000-01-01 00:00:00.000001+00"],
    ),
    "date": (1082, [b"2026-01-01", b"0044-03-15 BC", b"infinity"]),
    "timetz": (1266, [b"00:00:00+00", b"24:00:00-15:59"]),
    "uuid": (2950, [b"00000000-0000-0000-0000-000000000000"]),
    "interval": (1186, [b"1 day", b"-00:00:01"]),
}


def one_by_one(column: list[bytes | None], encode: Encode) -> list[bytes]:
    return [NULL if value is None else encode(value) for value in column]


@pytest.mark.parametrize("name", VALUES)
def test_each_kind_of_value_alone_and_among_others(name: str) -> None:
    oid, values = VALUES[name]
    encode = encoder_of(Type(oid))
    columns: list[list[bytes | None]] = [list(values) * 20, [*values, None] * 20, [None] * 20]
    columns += [[value] * 20 for value in values] + [[values[0]] * 19 + [value] for value in values]
    columns += [[None, *[value] * 9] for value in values]
    for column in columns:
        assert encode_column(column, encode) == one_by_one(column, encode)


@given(st.lists(st.none() | st.text(), max_size=40))
def test_any_text(values: list[str | None]) -> None:
    column = [value if value is None else value.encode(errors="surrogatepass") for value in values]
    encoded = encode_column(column, text)
    assert encoded == one_by_one(column, text)
    if not any(value and any("\ud800" <= character <= "\udfff" for character in value) for value in values):
        assert [json.loads(one) for one in encoded] == values


def test_every_scalar_is_tried() -> None:
    tried = {SCALARS.by_oid.get(oid) for oid, _ in VALUES.values()}
    assert set(SCALARS.by_oid.values()) <= tried
