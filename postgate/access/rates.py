"""How much a database may ask for in a time: statements a second, bytes a minute."""

from __future__ import annotations

import fcntl
import math
import mmap
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from postgate.errors import RateLimited

if TYPE_CHECKING:
    from postgate.access.registry import Access

# Databases are told apart by a hash, which is salted anew at each start: two that meet have one level.
_BUCKETS = 16_384
_LEVEL_BYTES = 8
_SECOND, _MINUTE = 1.0, 60.0


class Levels:
    """For each database and rate the moment at which all that it has had is paid off, by time.monotonic, which all
    processes of a machine share: the generic cell rate algorithm (ITU-T I.371), in memory that the workers share."""

    def __init__(self) -> None:
        """In the master, before it makes workers."""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        size = 2 * _BUCKETS * _LEVEL_BYTES
        self._file.truncate(size)
        self._levels = memoryview(mmap.mmap(self._file.fileno(), size)).cast("d")
        # A lock of the file is a process' own, whatever its threads do.
        self._lock = Lock()

    def close(self) -> None:
        self._file.close()

    def due(self, cell: int) -> float:
        return self._levels[cell]

    def add(self, cell: int, seconds: float) -> None:
        with self._locked(cell):
            self._levels[cell] = max(self._levels[cell], time.monotonic()) + seconds

    @contextmanager
    def _locked(self, cell: int) -> Iterator[None]:
        with self._lock:
            # The system unlocks it if we are killed.
            fcntl.lockf(self._file, fcntl.LOCK_EX, 1, cell)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, cell)


class Rates:
    """Holds databases to their rates. What a request takes is known only afterwards, so who has had too much waits."""

    def __init__(self) -> None:
        # Few services have databases with a rate.
        self._made: Levels | None = None
        self._lock = Lock()

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    def count_with_others(self, levels: Levels) -> None:
        """Before the first request: count on levels that the workers share."""
        self._made = levels

    @property
    def _levels(self) -> Levels:
        with self._lock:
            self._made = self._made or Levels()
            return self._made

    def require(self, access: Access) -> None:
        """See that the database has not had more than its rates allow.

        Raises:
            RateLimited: it has, and may ask again after so many seconds.
        """
        per_second, per_minute = access.limits.statements_per_second, access.limits.bytes_per_minute
        if per_second is not None:
            self._require(_cell(access, per_second, 0), _SECOND, f"more than {per_second} statements a second")
        if per_minute is not None:
            self._require(_cell(access, per_minute, 1), _MINUTE, f"more than {per_minute} bytes a minute")

    def note(self, access: Access, statements: int = 0, volume: int = 0) -> None:
        """The database has had so many statements, and so many bytes of requests and answers."""
        per_second, per_minute = access.limits.statements_per_second, access.limits.bytes_per_minute
        if statements and per_second is not None:
            self._levels.add(_cell(access, per_second, 0), statements * _SECOND / per_second)
        if volume and per_minute is not None:
            self._levels.add(_cell(access, per_minute, 1), volume * _MINUTE / per_minute)

    def _require(self, cell: int, window_s: float, excess: str) -> None:
        wait_s = self._levels.due(cell) - time.monotonic() - window_s
        if wait_s > 0:
            raise RateLimited(excess, math.ceil(wait_s))


def _cell(access: Access, rate: int, kind: int) -> int:
    # With another rate a database begins anew.
    return kind * _BUCKETS + hash((access.database_id, rate)) % _BUCKETS
