"""From what PostgreSQL and libpq say to what the client is told: the only place where a failure turns public."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from psycopg import errors

from postgate.errors import (
    DatabaseError,
    DatabaseNotFound,
    PostgateError,
    RequestRefused,
    Timeout,
    Unauthorized,
    Unavailable,
)
from postgate.executor.job import Job
from postgate.executor.prologue import NO_DATABASE, NO_ROLES, NO_TOKEN, STALE_LOOK_UP
from postgate.postgres.errors import Cancelled, CommandRefused, ConnectionLost, ServerError
from postgate.validator.hints import HELPERS

# What the refusal of a command of our own means for the tenant.
_REFUSALS: Mapping[str | None, Callable[[], PostgateError]] = {
    NO_TOKEN: Unauthorized,
    NO_DATABASE: DatabaseNotFound,
    STALE_LOOK_UP: partial(Unavailable, "the token is being changed"),
    NO_ROLES: partial(Unavailable, "the roles of the database are missing: run postgate migrate"),
    errors.QueryCanceled.sqlstate: partial(Unavailable, "somebody has cancelled what was under way in the database"),
    errors.InsufficientPrivilege.sqlstate: partial(
        Unavailable, "the login of the database may not do what postgate needs: run postgate doctor"
    ),
}
# The SQLSTATE classes "syntax error or access rule violation" and "invalid schema name": functions or tables of ours
# are missing.
_NOT_MIGRATED = ("42", "3F")
# The SQLSTATE class "insufficient resources": memory, disk, connections.
_NO_RESOURCES = "53"


# Running the same once more can succeed: another transaction has won (manual, "Serialization Failure Handling").
_RETRYABLE = (errors.SerializationFailure.sqlstate, errors.DeadlockDetected.sqlstate)


def add_hint(failure: ServerError, job: Job) -> None:
    """Say where to look for the table that is not there; and of a column in double quotes that a string has others."""
    if "hint" in failure.fields:
        return
    if failure.sqlstate == errors.UndefinedTable.sqlstate:
        failure.fields["hint"] = HELPERS
    position = failure.fields.get("position")
    if failure.sqlstate != errors.UndefinedColumn.sqlstate or not isinstance(position, int):
        return
    if job.steps[failure.index or 0].facts.text.startswith('"', position - 1):
        failure.fields["hint"] = "\"...\" is a name; a string stands in '...', or better is a parameter"


@lru_cache
def _reason(sqlstate: str) -> str:
    """The name of the condition (manual, "PostgreSQL Error Codes"), as a word; of a code that is made up, "raised"."""
    try:
        condition = errors.lookup(sqlstate).__name__
    except KeyError:
        return "raised"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", condition).lower().replace("undefined_", "unknown_", 1)


def public(failure: Exception) -> Exception:
    """What the client is told; the failure itself where only the log may say it."""
    told = _told(failure)
    if isinstance(told, PostgateError) and isinstance(failure, ServerError | ConnectionLost):
        told.index = failure.index
    return told


def _told(failure: Exception) -> Exception:
    if isinstance(failure, ConnectionLost):
        outcome = None if failure.repeatable else "unknown"
        if failure.cancelled_after_ms is not None:
            return Timeout(failure.cancelled_after_ms, outcome)
        return Unavailable("the connection to the database was lost", outcome)
    if not isinstance(failure, ServerError):
        return failure
    if failure.cancelled is Cancelled.TIME_IS_UP:
        return Timeout(failure.limit_ms)
    if failure.cancelled is Cancelled.CLIENT_LEFT:
        # Whoever has closed one direction only reads it.
        return RequestRefused(400, "the client has closed the connection, so its statement was cancelled")
    if failure.is_standbys:
        return Unavailable("the database takes no changes at the moment")
    if not isinstance(failure, CommandRefused):
        retryable = {"retryable": True} if failure.sqlstate in _RETRYABLE else {}
        fields = {"reason": _reason(failure.sqlstate)} | failure.fields | retryable
        return DatabaseError(failure.message, fields, failure.diagnostics)
    if failure.sqlstate in _REFUSALS:
        return _REFUSALS[failure.sqlstate]()
    if failure.sqlstate.startswith(_NO_RESOURCES):
        return Unavailable("the database is out of resources")
    return Unavailable("the database is not migrated") if failure.sqlstate.startswith(_NOT_MIGRATED) else failure
