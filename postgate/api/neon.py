"""POST /query as Neon's serverless driver speaks it (@neondatabase/serverless): its keys and headers, and its errors.

What the driver does with an answer is node-postgres' business: it reads PostgreSQL's text by the number of the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from postgate.api import body
from postgate.errors import DatabaseError, ParseError, PostgateError
from postgate.executor.job import Characteristics, Request
from postgate.results.neon import NeonRows

CONNECTION_STRING = "HTTP_NEON_CONNECTION_STRING"
_SWITCHES = {"true": True, "false": False}
_ISOLATION = {
    "ReadUncommitted": "READ UNCOMMITTED",
    "ReadCommitted": "READ COMMITTED",
    "RepeatableRead": "REPEATABLE READ",
    "Serializable": "SERIALIZABLE",
}
# Our names for the parts of an error, where node-postgres has others. The SQLSTATE takes the place of our code.
_NAMES = {"error": "message", "sqlstate": "code", "datatype": "dataType", "context": "where"}


def speaks(members: Mapping[str, Any]) -> bool:
    """Whether a body is in this dialect: it calls the text of a statement "query"."""
    queries = members.get("queries")
    first = queries[0] if isinstance(queries, list) and queries else members
    return isinstance(first, dict) and "query" in first


def request(members: dict[str, Any], environ: Mapping[str, Any], max_batch: int, body_bytes: int) -> Request:
    """What a body and the headers beside it ask for.

    Raises:
        ParseError: there is no statement, or a header has a value that it cannot have.
    """
    characteristics = Characteristics.of(
        _header(environ, "Neon-Batch-Isolation-Level", _ISOLATION, ""),
        _header(environ, "Neon-Batch-Read-Only", _SWITCHES, False),
        _header(environ, "Neon-Batch-Deferrable", _SWITCHES, False),
    )
    as_arrays = _header(environ, "Neon-Array-Mode", _SWITCHES, False)
    is_raw = _header(environ, "Neon-Raw-Text-Output", _SWITCHES, False)
    statements = body.statements(members, "query", max_batch)
    new_format = partial(NeonRows, as_arrays, is_raw)
    return Request(statements, new_format, "queries" in members, characteristics, body_bytes=body_bytes)


def token(environ: Mapping[str, Any]) -> str | None:
    """The password of the connection string, which stands for the token where there is no other."""
    try:
        password = urlsplit(environ.get(CONNECTION_STRING, "")).password
    except ValueError:
        return None
    return unquote(password) if password else None


def envelope(error: PostgateError) -> dict[str, object]:
    """An error in node-postgres' words; of ours the code stands where PostgreSQL's SQLSTATE would."""
    told = {"severity": "ERROR", **error.envelope(), **(error.diagnostics if isinstance(error, DatabaseError) else {})}
    named = {_NAMES.get(name, name): value for name, value in told.items()}
    if "position" in named:
        named["position"] = str(named["position"])
    if isinstance(error, ParseError):
        # node-postgres has a line of PostgreSQL's source and the name of a column there.
        named.pop("line", None)
        named.pop("column", None)
    return named


def _header(environ: Mapping[str, Any], name: str, choices: Mapping[str, Any], default: Any) -> Any:
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    if value is None:
        return default
    if value not in choices:
        raise ParseError(f"the header {name} must be one of {', '.join(choices)}")
    return choices[value]
