"""What is tried again, and what the next try does differently: every reason stands in RETRIES and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from psycopg import errors

from postgate.errors import StatementRefused
from postgate.executor.failures import public
from postgate.executor.prologue import STALE_LOOK_UP
from postgate.postgres.errors import CommandRefused, ConnectionLost, ServerError
from postgate.postgres.prepared import Prepared

# A token that changes faster than it can be looked up is being rewritten all the time.
_MAX_LOOK_UPS = 5
# SQLSTATEs by which a prepared plan fails after a table has changed: 42 (missing names, other types), 0A (the result's
# type changed), and those of values that do not fit the types that were.
_OUTDATED_PLAN = (
    "42",
    "0A",
    str(errors.InvalidTextRepresentation.sqlstate),
    str(errors.NumericValueOutOfRange.sqlstate),
    str(errors.InvalidDatetimeFormat.sqlstate),
    str(errors.DatetimeFieldOverflow.sqlstate),
)
# No such statement, or one of that name already: a pooler gives the connection another session each time.
_POOLERS_SESSION = (errors.InvalidSqlStatementName.sqlstate, errors.DuplicatePreparedStatement.sqlstate)


@dataclass(slots=True)
class Attempt:
    """How one try runs, and what it notes of itself for the choice of the next one.

    Attributes:
        looks_up_again: ask the database who the token is, whatever is remembered.
        uses_json_types: tell the server the JSON types of all parameters, in place of letting it infer them.
        describes_again: ask the server for the types of list parameters, whatever is remembered.
        uses_plans: run what is prepared on the connection, and prepare.
        used_remembered_look_up, used_remembered_types: what this try took from memory.
        suspect: what was prepared on the connection where the last try failed, if its plan may have been outdated; and
            `suspicion`, the SQLSTATE.
        tried: how often each reason has been used.
    """

    looks_up_again: bool = False
    uses_json_types: bool = False
    describes_again: bool = False
    uses_plans: bool = True
    used_remembered_look_up: bool = False
    used_remembered_types: bool = False
    suspect: Prepared | None = None
    suspicion: str = ""
    tried: dict[str, int] = field(default_factory=dict)

    def after(self, failure: Exception) -> Attempt:
        """The next try.

        Raises:
            PostgateError: there is none; what the client is told.
            Exception: there is none, and it is no failure that a client could do anything about.
        """
        self.settle(failure)
        for retry in RETRIES:
            times = self.tried.get(retry.reason, 0)
            if times < retry.times and retry.applies(failure, self):
                changed = dataclasses.replace(self, tried={**self.tried, retry.reason: times + 1})
                changed.looks_up_again = changed.describes_again = False
                retry.change(changed, failure)
                return changed
        told = public(failure)
        raise told from (failure if told is not failure else failure.__cause__)

    def settle(self, failure: Exception | None = None) -> None:
        """Where the text itself ended otherwise than its plan, the plan was outdated: let nobody meet it again."""
        if self.suspect is not None:
            self.suspect.is_outdated |= getattr(failure, "sqlstate", None) != self.suspicion
            self.suspect = None


class Retry(NamedTuple):
    """A reason to try again: by which failures it is told, and what the next attempt does differently."""

    reason: str
    applies: Callable[[Exception, Attempt], bool]
    change: Callable[[Attempt, Exception], None]
    times: int = 1


def _refused_by_remembered_look_up(failure: Exception, attempt: Attempt) -> bool:
    return isinstance(failure, StatementRefused) and attempt.used_remembered_look_up


def _stale_look_up(failure: Exception, _: Attempt) -> bool:
    return isinstance(failure, CommandRefused) and failure.sqlstate == STALE_LOOK_UP


def _poolers_session(failure: Exception, _: Attempt) -> bool:
    return isinstance(failure, ServerError) and failure.sqlstate in _POOLERS_SESSION


def _outdated_plan(failure: Exception, _: Attempt) -> bool:
    return isinstance(failure, ServerError) and failure.is_reused and failure.sqlstate.startswith(_OUTDATED_PLAN)


def _outdated_type(failure: Exception, attempt: Attempt) -> bool:
    return (
        isinstance(failure, ServerError)
        and failure.sqlstate == errors.InvalidTextRepresentation.sqlstate
        and attempt.used_remembered_types
    )


def _untyped_parameter(failure: Exception, _: Attempt) -> bool:
    return isinstance(failure, ServerError) and failure.sqlstate == errors.IndeterminateDatatype.sqlstate


def _dead_connection(failure: Exception, _: Attempt) -> bool:
    return isinstance(failure, ConnectionLost) and failure.repeatable


def _look_up_again(attempt: Attempt, _: Exception) -> None:
    attempt.looks_up_again = True


def _send_the_text_itself(attempt: Attempt, failure: Exception) -> None:
    attempt.uses_plans = False
    if isinstance(failure, ServerError):
        attempt.suspect, attempt.suspicion = failure.prepared, failure.sqlstate


def _prepare_no_more(attempt: Attempt, failure: Exception) -> None:
    attempt.uses_plans = False
    if isinstance(failure, ServerError):
        failure.prepared.disable()


def _describe_again(attempt: Attempt, _: Exception) -> None:
    attempt.describes_again = True


def _give_json_types(attempt: Attempt, _: Exception) -> None:
    attempt.uses_json_types = True


def _take_another(_: Attempt, __: Exception) -> None:
    """The pool closes the dead connection as it is given back."""


RETRIES = (
    Retry("refused by a remembered look-up", _refused_by_remembered_look_up, _look_up_again),
    Retry("stale look-up", _stale_look_up, _look_up_again, times=_MAX_LOOK_UPS - 1),
    Retry("pooler's session", _poolers_session, _prepare_no_more),
    Retry("outdated plan", _outdated_plan, _send_the_text_itself),
    Retry("outdated type of a list", _outdated_type, _describe_again),
    Retry("untyped parameter", _untyped_parameter, _give_json_types),
    Retry("dead connection", _dead_connection, _take_another),
)

# What is worth a look at the table; everything else that goes wrong is told at once.
FAILURES = (ServerError, ConnectionLost, StatementRefused)
