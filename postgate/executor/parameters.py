"""JSON values to PostgreSQL's text: the server infers the type where it can, the JSON type decides where it cannot."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, NamedTuple

import orjson

from postgate.api.body import Number
from postgate.errors import ParseError
from postgate.postgres.catalog import Type

BOOL, INT8, TEXT, NUMERIC, JSON, JSONB = 16, 20, 25, 1700, 114, 3802
INFERRED = 0
MOST_DIMENSIONS = 6
_INT8_LEAST, _INT8_MOST = -(2**63), 2**63 - 1
_REMEMBERED_STATEMENTS = 4_096
# Longer texts are mostly bulk inserts that never come again.
_REMEMBERED_LENGTH = 8_192


def type_of(value: Any) -> int:
    """The type that the JSON type of a value stands for."""
    if isinstance(value, Number):
        return INT8 if _is_int8(value) else NUMERIC
    if isinstance(value, bool):
        return BOOL
    return JSONB if isinstance(value, list | dict) else TEXT


def types_of(params: list[Any], untyped: Iterable[int]) -> list[int]:
    """The types to tell the server: its own inference, save for the untyped placeholders with a value."""
    types = [INFERRED] * len(params)
    for position in untyped:
        if params[position - 1] is not None:
            types[position - 1] = type_of(params[position - 1])
    return types


def dump(value: Any, kind: Type | None, kinds: Callable[[int], Type | None]) -> bytes | None:
    """The text of a parameter; `kind` is the type that the server wants, needed for lists only."""
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list) and kind is not None and kind.element:
        return _array(value, kind, kinds)
    return _json(value)


def _array(items: list[Any], kind: Type, kinds: Callable[[int], Type | None], depth: int = 1) -> bytes:
    """An array literal; lists in it are further dimensions, unless its elements are JSON themselves."""
    if depth > MOST_DIMENSIONS:
        raise ParseError(f"an array has at most {MOST_DIMENSIONS} dimensions")
    element = kinds(kind.element) or Type(kind.element)
    is_json = element.oid in (JSON, JSONB)
    pieces: list[bytes] = []
    for item in items:
        if isinstance(item, list) and not is_json:
            inner = element if element.element else kind
            nested = _array(item, inner, kinds, depth + 1)
            pieces.append(_quote(nested) if inner is element else nested)
        else:
            pieces.append(_element(_json(item) if is_json and item is not None else dump(item, None, kinds)))
    if kind.delimiter == b" ":
        return b" ".join(pieces)
    return b"{" + kind.delimiter.join(pieces) + b"}"


def _element(text: bytes | None) -> bytes:
    return b"NULL" if text is None else _quote(text)


def _quote(text: bytes) -> bytes:
    if text.isalnum() and text.upper() != b"NULL":
        return text
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_digits, option=orjson.OPT_PASSTHROUGH_SUBCLASS)
    except orjson.JSONEncodeError:
        raise ParseError("a parameter is nested too deeply") from None


def _digits(number: Number) -> orjson.Fragment:
    return orjson.Fragment(number.encode())


def _is_int8(number: Number) -> bool:
    # Its length first: int() refuses very long texts.
    return number.is_integer and len(number) <= 20 and _INT8_LEAST <= int(number) <= _INT8_MOST


class Key(NamedTuple):
    """What the types of the parameters depend on."""

    backend: str
    schema: str
    sql: str
    given: tuple[int, ...]


class ParameterTypes:
    """What the server said of the parameters of a statement; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._types: OrderedDict[Key, list[int]] = OrderedDict()

    def get(self, key: Key) -> list[int] | None:
        with self._lock:
            if key in self._types:
                self._types.move_to_end(key)
            return self._types.get(key)

    def put(self, key: Key, types: list[int]) -> None:
        if len(key.sql) > _REMEMBERED_LENGTH:
            return
        with self._lock:
            self._types[key] = types
            if len(self._types) > _REMEMBERED_STATEMENTS:
                self._types.popitem(last=False)

    def forget(self, key: Key) -> None:
        with self._lock:
            self._types.pop(key, None)
