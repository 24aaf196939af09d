"""PostgreSQL's text to JSON, by the rules of to_json: no type becomes null and no digit is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import orjson

from postgate.postgres.types import INT2VECTOR, OIDVECTOR, Type

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


# By oid. Every other type that is no array is encoded as text.
SCALARS: Mapping[int, Encode] = {
    16: boolean,
    **dict.fromkeys((20, 21, 23, 114, 3802), as_it_is),
    **dict.fromkeys((25, 1042, 1043), text),
    **dict.fromkeys((700, 701, 1700), number),
    1114: timestamp,
    1184: timestamptz,
    **dict.fromkeys((1082, 1083, 1266, 2950), plain),
}


def encoder_of(type_: Type) -> Encode:
    """How the values of a type are encoded."""
    if type_.element is None:
        return SCALARS.get(type_.oid, text)
    element = encoder_of(type_.element)
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
