"""Whether a request would be answered, and safely: for balancers and orchestrators, which ask all the time."""

from __future__ import annotations

import math
import time
from threading import Lock
from typing import NamedTuple

from postgate.errors import PostgateError
from postgate.postgres.errors import CommandRefused, ConnectionLost
from postgate.postgres.pipeline import Command
from postgate.postgres.pools import Pools
from postgate.sql_files import read_sql

# The revision of the database that this version needs: a later one serves it too, or the first process of the next
# version would take all others of this one out of service.
REVISION = "0015"
# For how long an answer is good, whoever asks.
AGE_S = 1.0
_ASK_MS = 2_000
_ASK = Command(read_sql("access", "readiness"))


class State(NamedTuple):
    """Whether the service is ready: why not, as a word for a program and as a sentence, or "" twice."""

    reason: str = ""
    words: str = ""


READY = State()


class Readiness:
    """What the database says, asked at most once a second: those who ask meanwhile wait for that one answer."""

    def __init__(self, pools: Pools, requires_walls: bool) -> None:
        """
        Args:
            requires_walls: the service is not ready while one tenant could reach another without the validator.
        """
        self._pools = pools
        self._requires_walls = requires_walls
        self._lock = Lock()
        self._asked = -math.inf, READY

    def known(self) -> State | None:
        """What was found within the last second, without a wait for anything."""
        asked_at, state = self._asked
        return state if time.monotonic() - asked_at < AGE_S else None

    def state(self) -> State:
        """What is known, or what the database says now."""
        with self._lock:
            state = self.known()
            if state is None:
                state = self._ask()
                self._asked = time.monotonic(), state
            return state

    def _ask(self) -> State:
        try:
            ((revision, open_walls),) = self._pools.query(self._pools.shared, _ASK, _ASK_MS)
        except CommandRefused as error:
            # Classes "syntax error or access rule violation" and "invalid schema name": the table is not there.
            if error.sqlstate.startswith(("42", "3F")):
                return State("not_migrated", "the database is not migrated, or the login may not read it")
            return State("database_unreachable", "the database does not answer as it should")
        except (PostgateError, ConnectionLost):
            return State("database_unreachable", "the database cannot be reached")
        found = (revision or b"").decode()
        if found < REVISION:
            return State("not_migrated", f"the database is at revision {found or 'none'}, and {REVISION} is needed")
        if open_walls and self._requires_walls:
            where = open_walls.decode()
            return State("walls_open", f"tenants are kept apart by the validator alone ({where}): run postgate doctor")
        return READY
