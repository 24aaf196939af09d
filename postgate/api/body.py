"""The body of a request: JSON read without losing a digit, or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from itertools import islice
from typing import Any, NoReturn, TypeVar

from postgate.errors import ParseError
from postgate.executor.job import Characteristics, Number, Request, Statement
from postgate.results import Format
from postgate.results.json_rows import JsonRows
from postgate.results.values import NUMBERS_AS_STRINGS, SCALARS

T = TypeVar("T")

_ISOLATION = {
    level: level.upper() for level in ("serializable", "repeatable read", "read committed", "read uncommitted")
}
_OPTIONS = {"isolation", "read_only", "deferrable", "dry_run", "row_mode", "fields", "numbers", "detached"}
_STATEMENT_KEYS = {"sql", "params"}
_KEYS = {*_STATEMENT_KEYS, "queries", *_OPTIONS}
# What others call it, in lower case without underscores.
_SYNONYMS = {
    **{key.replace("_", ""): key for key in _KEYS},
    **dict.fromkeys(("statement", "text", "sqltext", "q"), "sql"),
    **dict.fromkeys(("parameters", "args", "arguments", "values", "binds", "bindings"), "params"),
    **dict.fromkeys(("statements", "batch"), "queries"),
    "isolationlevel": "isolation",
    "arraymode": "row_mode",
}
# Of the keys without a meaning those that are looked at, and what is looked at in each.
_MOST_UNKNOWN, _LONGEST_KEY = 20, 30
_ROW_MODES = {"object": False, "array": True}
_NUMBERS = {"number": SCALARS, "string": NUMBERS_AS_STRINGS}
MAX_PARAMETERS = 65_535
# Each takes some hundred bytes when it is read, however short it is in the body.
MAX_VALUES = 1_000_000
# In a larger body each number is made by a function of Python: between calls of those another thread may go on.
LONG_BYTES = 256 * 1024
# Of a string with a character outside of the basic plane.
_TEXT_COPIES = 5
# An object of one member in a list.
_VALUE_BYTES = 250
# Of a text with the most steps for its length.
_TREE_SIZE = 280
_STEP_BYTES = 300
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def load(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        ParseError: it is none; the text says what is wrong with it.
    """
    members = _load(body)
    if not isinstance(members, dict):
        raise ParseError("the body must be a JSON object")
    return members


def memory_bytes(body: bytes, max_steps: int) -> int:
    """About how much memory reading a body takes at most, its statement included: what was measured of strings, of
    short values and of the tree of a statement with so many steps."""
    return (
        _TEXT_COPIES * len(body)
        + _VALUE_BYTES * body.count(b",")
        + min(_TREE_SIZE * len(body), _STEP_BYTES * max_steps)
    )


def request(members: dict[str, Any], max_batch: int, body_bytes: int) -> Request:
    """What the members of a body ask for.

    Args:
        max_batch: how many statements it may have.
        body_bytes: how large it was.

    Raises:
        ParseError: there is no statement, or a list of them, or an option has a value that it cannot have.
    """
    _refuse_near_misses(members, _KEYS)
    is_batch = "queries" in members
    texts = statements(members, "sql", max_batch)
    if not _OPTIONS & members.keys():
        return Request(texts, JsonRows, is_batch, body_bytes=body_bytes)
    isolation = _choice(members, "isolation", _ISOLATION, "")
    switches = [_switch(members, key) for key in ("read_only", "deferrable", "dry_run")]
    characteristics = Characteristics.of(isolation, *switches)
    is_detached = _switch(members, "detached")
    return Request(
        texts, _new_format(members), is_batch, characteristics, is_detached=is_detached, body_bytes=body_bytes
    )


def statements(members: dict[str, Any], key: str, max_batch: int) -> tuple[Statement, ...]:
    """The statement, or those of a batch.

    Args:
        key: what a statement's text is called.
    """
    if "queries" not in members:
        return (_statement(members, key),)
    if key in members or "params" in members:
        raise ParseError(f'"{key}" and "params" stand in each of the "queries", not beside them')
    queries = members["queries"]
    if not isinstance(queries, list):
        raise ParseError('"queries" must be an array')
    if len(queries) > max_batch:
        raise ParseError(f"a batch has at most {max_batch} statements", _over(max_batch))
    batch = []
    for number, query in enumerate(queries):
        try:
            if not isinstance(query, dict):
                raise ParseError('each of the "queries" must be a JSON object')
            if key == "sql":
                _refuse_near_misses(query, _STATEMENT_KEYS)
            batch.append(_statement(query, key))
        except ParseError as error:
            error.index = number
            raise
    return tuple(batch)


def _over(limit: int) -> dict[str, object]:
    return {"reason": "limit", "limit": limit}


def _refuse_near_misses(members: dict[str, Any], known: set[str]) -> None:
    """A key without a meaning is ignored, but not one that is meant as one of ours: a dry run would be none."""
    # A client can send as many as it likes, each as long as it likes.
    for key in islice(members.keys() - known, _MOST_UNKNOWN):
        plain = key[:_LONGEST_KEY].lower().replace("_", "").replace("-", "")
        meant = _SYNONYMS.get(plain)
        if meant is None and known is _KEYS:
            meant = _SYNONYMS.get(next(iter(get_close_matches(plain, _SYNONYMS, 1, cutoff=0.8)), ""))
        if meant in _OPTIONS and meant not in known:
            raise ParseError(f'"{meant}" stands beside the "queries", not in one of them')
        if meant is not None and meant not in members:
            message = f'the key {json.dumps(key)} is unknown; did you mean "{meant}"?'
            raise ParseError(message, {"hint": f'call it "{meant}"'})


def _new_format(members: dict[str, Any]) -> Callable[[], Format]:
    as_arrays = _choice(members, "row_mode", _ROW_MODES, False)
    with_fields = _switch(members, "fields") or as_arrays
    return partial(JsonRows, as_arrays, with_fields, _choice(members, "numbers", _NUMBERS, SCALARS))


def _choice(members: dict[str, Any], key: str, choices: Mapping[str, T], default: T) -> T:
    value = members.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or isinstance(value, Number) or value not in choices:
        raise ParseError(f'"{key}" must be one of {", ".join(map(json.dumps, choices))}')
    return choices[value]


def _switch(members: dict[str, Any], key: str) -> bool:
    value = members.get(key)
    if value is not None and not isinstance(value, bool):
        raise ParseError(f'"{key}" must be true or false')
    return bool(value)


def _statement(members: dict[str, Any], key: str) -> Statement:
    sql, params = members.get(key), members.get("params")
    if not isinstance(sql, str) or isinstance(sql, Number):
        raise ParseError(f'"{key}" must be a string' if key in members else f'the key "{key}" is missing')
    if "sql" in members and "query" in members:
        raise ParseError('a statement is either "sql" or, in Neon\'s dialect, "query"')
    if params is not None and not isinstance(params, list):
        raise ParseError('"params" must be an array')
    _check_text(sql, f'"{key}"')
    if params and len(params) > MAX_PARAMETERS:
        raise ParseError(f"a statement has at most {MAX_PARAMETERS} parameters", _over(MAX_PARAMETERS))
    for position, value in enumerate(params or (), 1):
        _check_texts(value, f"parameter ${position}")
    return Statement(sql, params or [])


def _load(body: bytes) -> Any:
    if not body.strip():
        raise ParseError("the body is empty")
    # Commas in strings are counted only where there are that many.
    if body.count(b",") > MAX_VALUES and _STRING.sub(b"", body).count(b",") > MAX_VALUES:
        raise ParseError(f"the body has more than {MAX_VALUES} values; send them in parts", _over(MAX_VALUES))
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
