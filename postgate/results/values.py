"""PostgreSQL's text to JSON, by the rules of to_json: no type becomes null and no digit is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from postgate.postgres.types import INT2VECTOR, INT8, NUMERIC, OIDVECTOR, Type

Encode = Callable[[bytes], bytes]
NULL = b"null"

_ARRAY_BOUNDS = re.compile(rb"(?:\[-?\d+:-?\d+\])+=")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")


def text(value: bytes) -> bytes:
    """A JSON string."""
    try:
        return orjson.dumps(value.decode())
    except UnicodeDecodeError:
        # Only a server whose encoding is SQL_ASCII sends such bytes.
        return orjson.dumps(value.decode(errors="backslashreplace"))


def number(value: bytes) -> bytes:
    """Digits as they are; NaN and infinities, which JSON has no numbers for, as strings."""
    return value if value[-1] <= 0x39 else b'"' + value + b'"'


def as_it_is(value: bytes) -> bytes:
    return value


def boolean(value: bytes) -> bytes:
    return b"true" if value == b"t" else b"false"


def timestamp(value: bytes) -> bytes:
    """With a T in place of the first space; infinities have none."""
    return b'"' + value.replace(b" ", b"T", 1) + b'"' if value[0] <= 0x39 else b'"' + value + b'"'


def timestamptz(value: bytes) -> bytes:
    """The time zone of every transaction is UTC, which PostgreSQL writes +00."""
    return timestamp(value.replace(b"+00", b"+00:00", 1))


def plain(value: bytes) -> bytes:
    """A string of which no character needs an escape."""
    return b'"' + value + b'"'


@dataclass(frozen=True, eq=False)
class Scalars:
    """How values are encoded that are no arrays; two of these are the same only if they are one object.

    Attributes:
        by_oid: by the number of their type; every other one is encoded as text.
    """

    by_oid: Mapping[int, Encode]


SCALARS = Scalars(
    {
        16: boolean,
        **dict.fromkeys((20, 21, 23, 114, 3802), as_it_is),
        **dict.fromkeys((25, 1042, 1043), text),
        **dict.fromkeys((700, 701, 1700), number),
        1114: timestamp,
        1184: timestamptz,
        **dict.fromkeys((1082, 1083, 1266, 2950), plain),
    }
)


# Stands between the values of a column while they are encoded together: no encoding below touches it.
_SEPARATOR = b"\x7f"


def _texts(joined: bytes) -> bytes | None:
    try:
        return orjson.dumps(joined.decode())
    except UnicodeDecodeError:
        return None


def _booleans(joined: bytes) -> bytes | None:
    return joined.replace(b"f", b"false").replace(b"t", b"true")


def _numbers(joined: bytes) -> bytes | None:
    return None if b"N" in joined or b"I" in joined else joined


def _timestamps(joined: bytes) -> bytes | None:
    # Infinities, and dates before Christ, which have another space.
    return None if b"f" in joined or b"B" in joined else b'"' + joined.replace(b" ", b"T") + b'"'


def _timestamptzs(joined: bytes) -> bytes | None:
    return _timestamps(joined.replace(b"+00", b"+00:00"))


def _plains(joined: bytes) -> bytes | None:
    return b'"' + joined + b'"'


# What does the same for many values with a separator between them, or gives None where it cannot.
_TOGETHER: Mapping[Encode, Callable[[bytes], bytes | None]] = {
    boolean: _booleans,
    text: _texts,
    number: _numbers,
    timestamp: _timestamps,
    timestamptz: _timestamptzs,
    plain: _plains,
}


def encode_column(column: Sequence[bytes | None], encode: Encode) -> list[bytes]:
    """Every value of a column as JSON: many of them in a few calls where they allow it."""
    if encode is as_it_is:
        return [NULL if value is None else value for value in column]
    together = _TOGETHER.get(encode)
    if together is None:
        return [NULL if value is None else encode(value) for value in column]
    present = [value for value in column if value is not None]
    encoded = _encode_together(present, together) or map(encode, present)
    if len(present) == len(column):
        return list(encoded)
    following = iter(encoded)
    return [NULL if value is None else next(following) for value in column]


def _encode_together(values: Sequence[bytes], together: Callable[[bytes], bytes | None]) -> list[bytes] | None:
    joined = _SEPARATOR.join(values)
    if joined.count(_SEPARATOR) != len(values) - 1 or (encoded := together(joined)) is None:
        return None
    if encoded[:1] == b'"':
        encoded = encoded.replace(_SEPARATOR, b'"' + _SEPARATOR + b'"')
    return encoded.split(_SEPARATOR)


# JSON.parse of JavaScript rounds integers past 2^53 and keeps 17 digits of any number.
NUMBERS_AS_STRINGS = Scalars({**SCALARS.by_oid, INT8: plain, NUMERIC: plain})
# Every value is PostgreSQL's own text, arrays included.
TEXTS = Scalars({})


def encoder_of(type_: Type, scalars: Scalars = SCALARS) -> Encode:
    """How the values of a type are encoded."""
    if type_.element is None or not scalars.by_oid:
        return scalars.by_oid.get(type_.oid, text)
    element = encoder_of(type_.element, scalars)
    if type_.oid in (INT2VECTOR, OIDVECTOR):
        return lambda value: b"[" + b",".join(map(element, value.split())) + b"]"
    return _array_encoder(element, type_.delimiter)


def _array_encoder(element: Encode, delimiter: bytes) -> Encode:
    token = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^"{}%b]+)|[{}%b]' % (delimiter, delimiter), re.DOTALL)
    punctuation = {b"{": b"[", b"}": b"]", delimiter: b","}

    def encode(value: bytes) -> bytes:
        if value[:1] == b"[" and (bounds := _ARRAY_BOUNDS.match(value)):
            value = value[bounds.end() :]
        if element is as_it_is and b'"' not in value and b"N" not in value:
            return value.translate(_BRACKETS)
        # One piece at a time: a list of them would take many times the memory of a long array.
        encoded = bytearray()
        for token_match in token.finditer(value):
            encoded += piece(token_match)
        return bytes(encoded)

    def piece(token_match: re.Match[bytes]) -> bytes:
        quoted, bare = token_match.groups()
        if quoted is not None:
            return element(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        if bare is None:
            return punctuation[token_match[0]]
        return NULL if bare == b"NULL" else element(bare)

    return encode
