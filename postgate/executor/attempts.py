"""What is tried again, and what the next try does differently: every reason stands in RETRIES and nowhere else."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from psycopg import errors

from postgate.errors import StatementRefused
from postgate.executor.failures import public
from postgate.executor.prologue import NO_ROLES, STALE_LOOK_UP
from postgate.postgres.errors import CommandRefused, ConnectionLost, ServerError
from postgate.postgres.pipeline import POOLERS_SESSION

# A token that changes faster than it can be looked up is being rewritten all the time.
_MAX_LOOK_UPS = 5
# PostgreSQL names one placeholder at a time, so each costs a round trip, once for a text.
_MAX_UNTYPED = 100
# SQLSTATE classes: access rule violation (types that do not fit), internal error (a type that is gone).
_MISFITS = ("42", "XX")
# "could not determine data type of parameter $1", in whatever language the server speaks.
_PLACEHOLDER = re.compile(r"\$(\d{1,5})")


class Attempt:
    """How one try runs, and what it notes of itself for the choice of the next one.

    Attributes:
        until: when (time.monotonic) the last try may begin: each can take the time of a statement.
        looks_up_again: ask the database who the token is, whatever is remembered.
        remembers: use what is remembered of the statement, for which no definition may be newer.
        describes_again: ask the server for the types of list parameters, whatever is remembered.
        untyped: by statement, the placeholders that the server has named because it can infer no type for them.
        arranges_roles: have the database make the tenant's roles first.
        prepares: run prologues as they are prepared on the connection.
        used_remembered_look_up, used_remembered_types: what this try took from memory.
        tried: how often each reason has been used.
    """

    # What most requests never change is set for those that do.
    looks_up_again = False
    remembers = True
    describes_again = False
    untyped: Mapping[int, frozenset[int]] = MappingProxyType({})
    arranges_roles = False
    prepares = True
    used_remembered_look_up = False
    used_remembered_types = False
    tried: Mapping[str, int] = MappingProxyType({})

    def __init__(self, until: float = math.inf) -> None:
        self.until = until

    def after(self, failure: Exception) -> Attempt:
        """The next try.

        Raises:
            PostgateError: there is none; what the client is told.
            Exception: there is none, and it is no failure that a client could do anything about.
        """
        for retry in RETRIES:
            times = self.tried.get(retry.reason, 0)
            if times < retry.times and time.monotonic() < self.until and retry.applies(failure, self):
                # All else is for one try: what it is told to do differently, and what it notes.
                following = Attempt(self.until)
                following.remembers, following.prepares = self.remembers, self.prepares
                following.untyped = self.untyped
                following.tried = {**self.tried, retry.reason: times + 1}
                retry.change(following, failure)
                return following
        told = public(failure)
        raise told from (failure if told is not failure else failure.__cause__)


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


def _missing_roles(failure: Exception, _: Attempt) -> bool:
    """They could not be made when the token was: its tenant has defined something at the same time."""
    return isinstance(failure, CommandRefused) and failure.sqlstate == NO_ROLES


def _poolers_session(failure: Exception, _: Attempt) -> bool:
    return isinstance(failure, CommandRefused) and failure.sqlstate in POOLERS_SESSION


def _outdated_types(failure: Exception, attempt: Attempt) -> bool:
    """A definition that was under way while the request came: what the server was told of the types fits no longer, so
    that the statement has failed and stored nothing."""
    return isinstance(failure, ServerError) and failure.sqlstate.startswith(_MISFITS) and attempt.used_remembered_types


def _untyped_placeholder(failure: Exception, attempt: Attempt) -> bool:
    named = _named_placeholder(failure)
    return named is not None and named[1] not in attempt.untyped.get(named[0], ())


def _dead_connection(failure: Exception, _: Attempt) -> bool:
    """Not one that we have cancelled: its backend may go on for long, and another one would do the same."""
    return isinstance(failure, ConnectionLost) and failure.repeatable and failure.cancelled_after_ms is None


def _look_up_again(attempt: Attempt, _: Exception) -> None:
    attempt.looks_up_again = True


def _remember_nothing(attempt: Attempt, _: Exception) -> None:
    attempt.looks_up_again = True
    attempt.remembers = False


def _arrange_roles(attempt: Attempt, _: Exception) -> None:
    attempt.arranges_roles = True


def _prepare_no_more(attempt: Attempt, _: Exception) -> None:
    attempt.prepares = False


def _describe_again(attempt: Attempt, _: Exception) -> None:
    attempt.describes_again = True


def _give_its_json_type(attempt: Attempt, failure: Exception) -> None:
    named = _named_placeholder(failure)
    if named is not None:
        index, number = named
        attempt.untyped = {**attempt.untyped, index: attempt.untyped.get(index, frozenset()) | {number}}


def _take_another(_: Attempt, __: Exception) -> None:
    """The pool closes the dead connection as it is given back."""


def _named_placeholder(failure: Exception) -> tuple[int, int] | None:
    """Of which statement, and which."""
    if not isinstance(failure, ServerError) or failure.sqlstate != errors.IndeterminateDatatype.sqlstate:
        return None
    number = _PLACEHOLDER.search(failure.message)
    return (failure.index or 0, int(number[1])) if number else None


RETRIES = (
    Retry("refused by a remembered look-up", _refused_by_remembered_look_up, _look_up_again),
    Retry("stale look-up", _stale_look_up, _look_up_again),
    # Something is defined all the time, as a migration does: the look-up is stale again before it is used.
    Retry("stale again", _stale_look_up, _remember_nothing, times=_MAX_LOOK_UPS - 2),
    Retry("missing roles", _missing_roles, _arrange_roles),
    Retry("pooler's session", _poolers_session, _prepare_no_more),
    Retry("untyped placeholder", _untyped_placeholder, _give_its_json_type, times=_MAX_UNTYPED),
    Retry("outdated types", _outdated_types, _describe_again),
    Retry("dead connection", _dead_connection, _take_another),
)

# What is worth a look at the table; everything else that goes wrong is told at once.
FAILURES = (ServerError, ConnectionLost, StatementRefused)
