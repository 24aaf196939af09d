"""What goes on in PostgreSQL for a database though it was cancelled, and how much of that one database may have."""

from __future__ import annotations

from threading import Lock

from postgate.errors import RateLimited
from postgate.observe.events import StatementGoesOn, happened
from postgate.postgres.connection import Connection


class Shares:
    """The backends of each database that do not end.

    PostgreSQL has work that looks at no interrupt: normalize() of 100 MB, a comparison of two long arrays. A statement
    whose cancel is not confirmed counts until its backend has answered or is gone, so that no tenant can occupy one
    backend after the other.

    Attributes:
        going_on: by the database's id, their connections, which the pool closes when they have ended.
    """

    def __init__(self, share: int) -> None:
        """
        Args:
            share: how many such statements a database may have and still be served.
        """
        self._share = share
        self._lock = Lock()
        self.going_on: dict[str, list[Connection]] = {}

    def note(self, database_id: str, connection: Connection) -> None:
        """The connection's backend goes on."""
        with self._lock:
            self.going_on.setdefault(database_id, []).append(connection)
        happened(StatementGoesOn(database_id, connection.pgconn.backend_pid))

    def require(self, database_id: str) -> None:
        """Refuse a database that has used up its share.

        Raises:
            RateLimited: it has to wait until a backend has ended.
        """
        with self._lock:
            # What has ended is forgotten here, whoever it is of.
            self.going_on = {
                owner: left
                for owner, connections in self.going_on.items()
                if (left := [connection for connection in connections if not connection.closed])
            }
            if len(self.going_on.get(database_id, ())) < self._share:
                return
        raise RateLimited("statements of this database that were cancelled have not ended yet")
