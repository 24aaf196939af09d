"""From what PostgreSQL and libpq say to what the client is told: the only place where a failure turns public."""

from __future__ import annotations

from psycopg import errors

from postgate.errors import DatabaseError, DatabaseNotFound, Timeout, Unauthorized, Unavailable
from postgate.postgres.pipeline import CommandRefused, ConnectionLost, ServerError


def public(failure: Exception) -> Exception:
    """What the client is told; the failure itself where only the log may say it."""
    if isinstance(failure, ConnectionLost):
        outcome = None if failure.repeatable else "unknown"
        return Unavailable("the connection to the database was lost", outcome)
    if not isinstance(failure, ServerError):
        return failure
    if failure.sqlstate == errors.QueryCanceled.sqlstate:
        return Timeout(failure.limit_ms)
    if isinstance(failure, CommandRefused):
        return _refusal(failure)
    return DatabaseError(failure.message, failure.fields)


def _refusal(failure: CommandRefused) -> Exception:
    """What the refusal of a command of our own means for the tenant."""
    match failure.sqlstate:
        case "PX401":
            return Unauthorized()
        case "PX404":
            return DatabaseNotFound()
        case "PX409":
            return Unavailable("the token is being changed")
        case "PX503":
            return Unavailable("the roles of the database are missing: run postgate migrate")
        case errors.InsufficientPrivilege.sqlstate:
            return Unavailable("the login of the database may not do what postgate needs: run postgate doctor")
    # Syntax error or access rule violation, invalid schema name: functions or tables of ours are missing.
    if failure.sqlstate.startswith(("42", "3F")):
        return Unavailable("the database is not migrated")
    return failure
