"""JSON values to PostgreSQL's text: the server infers the type where it can, the JSON type decides where it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from postgate.errors import ParseError, StatementRefused
from postgate.executor.job import Number
from postgate.postgres.types import BOOL, INT8, JSON, JSONB, NUMERIC, TEXT, Type

INFERRED = 0
# What any JSON value may be stored as.
_TEXTS = frozenset({"text", "varchar", "bpchar", "citext"})
_JSON = (JSON, JSONB)
_MAX_DIMENSIONS = 6
_MIN_INT8, _MAX_INT8 = -(2**63), 2**63 - 1


class StatementKey(NamedTuple):
    """What the types of a statement's parameters depend on: its text, and the definitions that its names find."""

    schema: str
    definitions: str
    sql: str


class Misfit(StatementRefused):
    """A JSON object or array where the statement wants another type.

    PostgreSQL would read its JSON as text of that type, and store it where any text will do: a Buffer of JavaScript's,
    which JSON has as {"type": "Buffer", ...}, became the bytes of that text in a bytea.
    """

    def __init__(self, value: Any, type_: Type, number: int) -> None:
        what = "a JSON object" if isinstance(value, dict) else "a JSON array"
        hint = f"send a value of {type_.name}, or cast the parameter, as in ${number}::jsonb"
        if isinstance(value, list):
            hint = f"= ANY(${number}) takes an array, IN (${number}) one value"
        elif type_.name == "bytea":
            hint = 'send bytes as a string of "\\x" and hexadecimal digits'
        super().__init__(
            f"parameter ${number} is or has {what} where the statement takes {type_.name}",
            {"reason": "parameters", "parameter": number, "hint": hint},
        )


def type_of(value: Any) -> int:
    """The type that the JSON type of a value stands for."""
    if isinstance(value, Number):
        return INT8 if _is_int8(value) else NUMERIC
    if isinstance(value, bool):
        return BOOL
    return JSONB if isinstance(value, list | dict) else TEXT


def types_of(params: Sequence[Any], untyped: Iterable[int]) -> list[int]:
    """The types to tell the server: its own inference, save for the untyped placeholders."""
    types = [INFERRED] * len(params)
    for number in untyped:
        types[number - 1] = type_of(params[number - 1])
    return types


def dump(value: Any, target: Type | None = None, number: int = 0) -> bytes | None:
    """The text of a parameter.

    Args:
        target: the type that the server has for it, which a list and an object need.
        number: of the parameter, for an error.

    Raises:
        ParseError: the value is nested too deeply.
        Misfit: a list or an object is not what the type takes.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list) and target is not None and target.element is not None:
        return _array(value, target, target.element, number)
    if isinstance(value, list | dict) and target is not None and not _takes_json(target):
        raise Misfit(value, target, number)
    return _json(value)


def require_single(value: Any, target: Type | None, number: int) -> None:
    """Refuse an array where IN takes one value of a text: its JSON would be compared, and nothing found.

    Raises:
        Misfit: it is one.
    """
    if isinstance(value, list) and target is not None and target.name in _TEXTS:
        raise Misfit(value, target, number)


def _takes_json(type_: Type) -> bool:
    return type_.oid in _JSON or type_.name in _TEXTS


def _array(items: list[Any], array: Type, element: Type, number: int, depth: int = 1) -> bytes:
    """An array literal; lists in it are further dimensions, unless its elements are JSON themselves."""
    if depth > _MAX_DIMENSIONS:
        raise ParseError(f"an array has at most {_MAX_DIMENSIONS} dimensions")
    is_json = element.oid in _JSON
    pieces: list[bytes] = []
    for item in items:
        if not isinstance(item, list) or is_json:
            pieces.append(_element(_json(item) if is_json and item is not None else dump(item, element, number)))
        elif element.element is not None:
            # The element is a domain over an array: a value of its own, in quotes.
            pieces.append(_quote(_array(item, element, element.element, number, depth + 1)))
        else:
            pieces.append(_array(item, array, element, number, depth + 1))
    if array.delimiter == b" ":
        return b" ".join(pieces)
    return b"{" + array.delimiter.join(pieces) + b"}"


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
    return number.is_integer and len(number) <= 20 and _MIN_INT8 <= int(number) <= _MAX_INT8
