"""The body of a request: JSON read without losing a digit, or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from postgate.errors import ParseError
from postgate.executor.job import Number, Request, Statement

# What a later version gives a meaning must not be ignored by this one.
RESERVED = ("queries", "query", "row_mode", "dry_run", "isolation", "read_only")
MAX_PARAMETERS = 65_535
# Each takes some hundred bytes when it is read, however short it is in the body.
MAX_VALUES = 1_000_000
# In a larger body each number is made by a function of Python: between calls of those another thread may go on.
LONG_BYTES = 256 * 1024
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def read(body: bytes) -> Request:
    """What the body of a request asks for.

    Raises:
        ParseError: it is no JSON object with a statement; the text says what is wrong with it.
    """
    members = _load(body)
    if not isinstance(members, dict):
        raise ParseError("the body must be a JSON object")
    for key in RESERVED:
        if key in members:
            raise ParseError(f'the key "{key}" is reserved for a later version')
    return Request((_statement(members),))


def _statement(members: dict[str, Any]) -> Statement:
    sql, params = members.get("sql"), members.get("params")
    if not isinstance(sql, str) or isinstance(sql, Number):
        raise ParseError('"sql" must be a string' if "sql" in members else 'the key "sql" is missing')
    if params is not None and not isinstance(params, list):
        raise ParseError('"params" must be an array')
    _check_text(sql, '"sql"')
    if params and len(params) > MAX_PARAMETERS:
        raise ParseError(f"a statement has at most {MAX_PARAMETERS} parameters")
    for position, value in enumerate(params or (), 1):
        _check_texts(value, f"parameter ${position}")
    return Statement(sql, params or [])


def _load(body: bytes) -> Any:
    if not body.strip():
        raise ParseError("the body is empty")
    # Commas in strings are counted only where there are that many.
    if body.count(b",") > MAX_VALUES and _STRING.sub(b"", body).count(b",") > MAX_VALUES:
        raise ParseError(f"the body has more than {MAX_VALUES} values; send them in parts")
    decoder = _DECODER if len(body) <= LONG_BYTES else _LONG_DECODER
    try:
        return decoder.decode(body.decode())
    except UnicodeDecodeError:
        raise ParseError("the body is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        raise ParseError(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise ParseError("the body is nested too deeply") from None


def _number(text: str) -> Number:
    return Number(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ParseError(f"the key {json.dumps(twice)} stands twice in one object")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"the body is not JSON: {name} is no JSON value")


def _check_texts(value: Any, where: str) -> None:
    """Check every string in a value, without recursion: it may be deep."""
    waiting: list[Any] = [value]
    while waiting:
        match waiting.pop():
            case Number():
                pass
            case str() as text:
                _check_text(text, where)
            case list() as items:
                waiting.extend(items)
            case dict() as members:
                waiting.extend(_keys_and_values(members))


def _keys_and_values(members: dict[str, Any]) -> Iterable[Any]:
    yield from members
    yield from members.values()


def _check_text(text: str, where: str) -> None:
    """PostgreSQL has neither NUL nor half of a surrogate pair."""
    if "\0" in text:
        raise ParseError(f"{where} has a NUL character, which PostgreSQL cannot store")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ParseError(f"{where} has a lone surrogate") from None


def _decoder(number: Callable[[str], Number]) -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_int=number, parse_float=number, parse_constant=_refuse_constant, object_pairs_hook=_object
    )


_DECODER, _LONG_DECODER = _decoder(Number), _decoder(_number)
