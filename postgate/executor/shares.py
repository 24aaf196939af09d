"""What a database has under way in this process, and what goes on for it in PostgreSQL though it was cancelled."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from postgate.errors import RateLimited
from postgate.postgres.connection import Connection

log = logging.getLogger(__name__)


class Shares:
    """The places of each database.

    PostgreSQL has work that looks at no interrupt: normalize() of 100 MB, a comparison of two long arrays. A statement
    whose cancel is not confirmed keeps its place until its backend has answered or is gone, so that no tenant can
    occupy one backend after the other. Only where there is such a statement is anybody refused.
    """

    def __init__(self, places: int) -> None:
        """
        Args:
            places: how many statements one database may have under way while some of them do not end.
        """
        self._places = places
        self._lock = Lock()
        self._running: Counter[str] = Counter()
        self._going_on: dict[str, list[Connection]] = {}

    @contextmanager
    def place(self, database_id: str) -> Iterator[list[Connection]]:
        """A place for the length of the body, which puts into the list the connections that it uses.

        Raises:
            RateLimited: the database's places are taken, some of them by statements that do not end.
        """
        with self._lock:
            going_on = self._look(database_id) if self._going_on else 0
            if going_on and going_on + self._running[database_id] >= self._places:
                raise RateLimited("statements of this database that were cancelled have not ended yet")
            self._running[database_id] += 1
        used: list[Connection] = []
        try:
            yield used
        finally:
            left = [connection for connection in used if connection.goes_on]
            with self._lock:
                self._running[database_id] -= 1
                if not self._running[database_id]:
                    del self._running[database_id]
                if left:
                    self._going_on.setdefault(database_id, []).extend(left)
            for connection in left:
                log.warning(
                    "a statement of database %s goes on after its cancel in PostgreSQL's process %d",
                    database_id,
                    connection.pgconn.backend_pid,
                )

    def _look(self, database_id: str) -> int:
        """How many of the database's cancelled statements go on; what has ended is forgotten, whoever it is of."""
        self._going_on = {
            owner: left
            for owner, connections in self._going_on.items()
            if (left := [connection for connection in connections if not connection.closed])
        }
        return len(self._going_on.get(database_id, ()))
