"""PostgreSQL's text to JSON, by the rules of to_json: no type becomes null and no digit is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from postgate.postgres.catalog import INT2VECTOR, OIDVECTOR, Type

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


SCALARS: Mapping[int, Encode] = {
    16: boolean,
    **dict.fromkeys((20, 21, 23, 114, 3802), as_it_is),
    **dict.fromkeys((700, 701, 1700), number),
    1114: timestamp,
    1184: timestamptz,
    **dict.fromkeys((1082, 1083, 1266, 2950), plain),
}


def encoder_of(oid: int, kinds: Callable[[int], Type | None]) -> Encode:
    """How the values of a type are encoded; `kinds` tells what kind of type an oid is."""
    kind = kinds(oid) or Type(oid)
    if not kind.element:
        return SCALARS.get(kind.oid, text)
    element = encoder_of(kind.element, kinds)
    if kind.oid in (INT2VECTOR, OIDVECTOR):
        return lambda value: b"[" + b",".join(map(element, value.split())) + b"]"
    return _array_encoder(element, kind.delimiter)


def _array_encoder(element: Encode, delimiter: bytes) -> Encode:
    token = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^"{}%b]+)|[{}%b]' % (delimiter, delimiter), re.DOTALL)
    punctuation = {b"{": b"[", b"}": b"]", delimiter: b","}

    def encode(value: bytes) -> bytes:
        if value[:1] == b"[" and (bounds := _ARRAY_BOUNDS.match(value)):
            value = value[bounds.end() :]
        if element is as_it_is and b'"' not in value and b"N" not in value:
            return value.translate(_BRACKETS)
        return b"".join(map(piece, token.finditer(value)))

    def piece(found: re.Match[bytes]) -> bytes:
        quoted, bare = found.groups()
        if quoted is not None:
            return element(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        if bare is None:
            return punctuation[found[0]]
        return NULL if bare == b"NULL" else element(bare)

    return encode


@dataclass(frozen=True, slots=True)
class RowEncoder:
    """Makes JSON objects of rows with these columns."""

    encoders: Sequence[Encode]
    template: bytes = field(repr=False)

    @classmethod
    def of(cls, names: Sequence[bytes], encoders: Sequence[Encode]) -> RowEncoder:
        keys = [text(name).replace(b"%", b"%%") for name in names]
        return cls(encoders, b"{" + b",".join(key + b":%b" for key in keys) + b"}")

    def encode(self, columns: Sequence[Sequence[bytes | None]], count: int) -> list[bytes]:
        """The rows, given column by column."""
        if not columns:
            return [b"{}"] * count
        done = [
            [NULL if value is None else encode(value) for value in column]
            for column, encode in zip(columns, self.encoders, strict=True)
        ]
        return [self.template % row for row in zip(*done, strict=True)]


def envelope(chunks: Sequence[bytes], row_count: int) -> bytes:
    """The body of an answer; the chunks are rows joined by commas."""
    return b'{"rows":[%b],"row_count":%d}' % (b",".join(chunks), row_count)
