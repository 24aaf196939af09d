"""How a transaction can fail, as the server or the connection tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING

from psycopg.pq import DiagnosticField as Field

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

# Bytes.
_MAX_TEXT = 8_192
_FIELDS = {
    Field.SQLSTATE: "sqlstate",
    Field.MESSAGE_DETAIL: "detail",
    Field.MESSAGE_HINT: "hint",
    Field.STATEMENT_POSITION: "position",
    Field.SCHEMA_NAME: "schema",
    Field.TABLE_NAME: "table",
    Field.COLUMN_NAME: "column",
    Field.DATATYPE_NAME: "datatype",
    Field.CONSTRAINT_NAME: "constraint",
}


# What nobody but a client of PostgreSQL's own protocol expects, by node-postgres' names.
_DIAGNOSTICS = {
    Field.SEVERITY_NONLOCALIZED: "severity",
    Field.INTERNAL_POSITION: "internalPosition",
    Field.SOURCE_FILE: "file",
    Field.SOURCE_LINE: "line",
    Field.SOURCE_FUNCTION: "routine",
}
# The lines of a context that hold no value: PostgreSQL quotes whole ones in others.
_CONTEXT = re.compile(
    r"(?:unnamed portal|portal \S+) (?P<parameter>parameter \$(?P<number>\d+))"
    r"|PL/pgSQL function .{1,200}? line \d+ at .*|SQL function .{1,70}? (?:statement \d+|during .*)|JSON data, line \d+"
)


class Cancelled(Enum):
    """Why the server has cancelled a statement."""

    TIME_IS_UP = auto()
    CLIENT_LEFT = auto()
    # By somebody at the server, such as its administrator.
    FROM_OUTSIDE = auto()


class ServerError(Exception):
    """The server refused a tenant's statement or failed, and the connection lives.

    Attributes:
        message: the server's primary message.
        sqlstate: its five characters.
        fields: whatever else the server says, by the names of our error envelope.
        diagnostics: what a client of PostgreSQL's own protocol would learn besides.
        limit_ms: the time that the transaction had.
        index: which statement of a batch it is of, from 0; None where of no one, as when the transaction commits.
        cancelled: why, where the statement was.
        is_standbys: it has refused a change because it is a standby, or not yet promoted.
    """

    index: int | None = None
    cancelled: Cancelled | None = None
    is_standbys: bool = False

    def __init__(self, result: PGresult, limit_ms: int) -> None:
        self.message = _text(result.error_field(Field.MESSAGE_PRIMARY))
        super().__init__(self.message)
        self.fields: dict[str, object] = dict(_said(result, _FIELDS))
        self.fields |= _context(_text(result.error_field(Field.CONTEXT)))
        self.diagnostics = dict(_said(result, _DIAGNOSTICS))
        self.sqlstate = str(self.fields.get("sqlstate", ""))
        if "position" in self.fields:
            self.fields["position"] = int(str(self.fields["position"]))
        self.limit_ms = limit_ms


class CommandRefused(ServerError):
    """The server refused a command of the gateway itself: the prologue of a transaction, or a look-up."""


class ConnectionLost(Exception):
    """The connection ended before the transaction did.

    Attributes:
        repeatable: running it once more cannot do anything twice, because it only reads or surely nothing of it was
            committed.
        cancelled_after_ms: the time of a transaction that we have cancelled and the server has not ended; None for any
            other one. Its backend may go on for long, so it must not be given the same work in another one.
        index: as of a ServerError.
    """

    index: int | None = None

    def __init__(self, repeatable: bool, cancelled_after_ms: int | None = None) -> None:
        super().__init__("the connection to the database was lost")
        self.repeatable = repeatable
        self.cancelled_after_ms = cancelled_after_ms


def _said(result: PGresult, fields: Mapping[Field, str]) -> Iterator[tuple[str, str]]:
    for field, name in fields.items():
        value = result.error_field(field)
        if value is not None:
            yield name, _text(value)


def _context(context: str) -> dict[str, object]:
    """Where it happened, without the values that PostgreSQL quotes, and the parameter that it was about."""
    matches = [match for line in context.splitlines() if (match := _CONTEXT.match(line))]
    if not matches:
        return {}
    numbers = [int(match["number"]) for match in matches if match["number"]]
    lines = "\n".join(match["parameter"] or match[0] for match in matches)
    return {"context": lines, **({"parameter": numbers[0]} if numbers else {})}


def _text(value: bytes | None) -> str:
    """What the server says, cut: it can quote a whole value."""
    if value is None:
        return ""
    text = value[:_MAX_TEXT].decode("utf-8", "replace")
    return text if len(value) <= _MAX_TEXT else text + " [cut]"
