"""How a transaction can fail, as the server or the connection tells it."""

from __future__ import annotations

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


class ServerError(Exception):
    """The server refused a tenant's statement or failed, and the connection lives.

    Attributes:
        message: the server's primary message.
        sqlstate: its five characters.
        fields: whatever else the server says, by the names of our error envelope.
        limit_ms: the time that the transaction had.
        index: which statement of a batch it is of, from 0; None where of no one, as when the transaction commits.
    """

    index: int | None = None

    def __init__(self, result: PGresult, limit_ms: int) -> None:
        self.message = _text(result.error_field(Field.MESSAGE_PRIMARY))
        super().__init__(self.message)
        values = ((name, result.error_field(field)) for field, name in _FIELDS.items())
        self.fields: dict[str, object] = {name: _text(value) for name, value in values if value is not None}
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


def _text(value: bytes | None) -> str:
    """What the server says, cut: it can quote a whole value."""
    if value is None:
        return ""
    text = value[:_MAX_TEXT].decode("utf-8", "replace")
    return text if len(value) <= _MAX_TEXT else text + " [cut]"
