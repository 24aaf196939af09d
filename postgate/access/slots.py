"""How many statements of each database run at once, so that none of them has all threads and connections."""

from __future__ import annotations

import mmap
from threading import Lock
from typing import NamedTuple

# Databases are counted by a hash, which is salted anew at each start: two that meet count as one.
_BUCKETS = 16_384
_COUNT_BYTES = 2


class Owner(NamedTuple):
    """A database, and how many statements of it may run at once on all workers of the machine."""

    database_id: str
    most: int


class Counts:
    """What the workers of one master have under way, in memory that they share: a row for each worker.

    Each writes only its own row, so a worker that is killed leaves nothing behind that its successor does not clear.
    """

    def __init__(self, workers: int) -> None:
        """In the master, before it makes workers.

        Args:
            workers: how many rows there are. A worker beyond them, as gunicorn's TTIN makes, counts by itself.
        """
        self.workers = workers
        self._shared = mmap.mmap(-1, workers * _BUCKETS * _COUNT_BYTES)
        self._cells = memoryview(self._shared).cast("H")

    def clear(self, row: int) -> None:
        start = row * _BUCKETS * _COUNT_BYTES
        self._shared[start : start + _BUCKETS * _COUNT_BYTES] = bytes(_BUCKETS * _COUNT_BYTES)

    def take(self, row: int, owner: Owner) -> bool:
        """Whether one more may run. Its own count goes up before the others are read: two workers that take at once may
        both be refused, and never both be let through beyond the limit."""
        bucket = _bucket(owner)
        self._cells[row * _BUCKETS + bucket] += 1
        if sum(self._cells[bucket::_BUCKETS]) <= owner.most:
            return True
        self._cells[row * _BUCKETS + bucket] -= 1
        return False

    def give(self, row: int, owner: Owner) -> None:
        self._cells[row * _BUCKETS + _bucket(owner)] -= 1


def _bucket(owner: Owner) -> int:
    # The salt of hash() is the master's, so that all its workers have the same one.
    return hash(owner.database_id) % _BUCKETS


class Slots:
    """What runs in this worker, and with `count_with_others` in those beside it."""

    def __init__(self, most_here: int) -> None:
        """
        Args:
            most_here: of one database in this worker, whatever it may have on all of them.
        """
        self._most_here = most_here
        self._lock = Lock()
        self._running: dict[str, int] = {}
        self._counts: Counts | None = None
        self._row = 0

    def count_with_others(self, counts: Counts, row: int) -> None:
        """Before the first request: count in this row of those that the workers share."""
        counts.clear(row)
        self._counts, self._row = counts, row

    def has_room(self, owner: Owner) -> bool:
        """Whether one more of this database's could run here, as far as this worker knows."""
        return self._running.get(owner.database_id, 0) < min(self._most_here, owner.most)

    def take(self, owner: Owner) -> bool:
        """Whether one more of this database's may run; then `give` follows."""
        with self._lock:
            running = self._running.get(owner.database_id, 0)
            if running >= min(self._most_here, owner.most):
                return False
            if self._counts is not None and not self._counts.take(self._row, owner):
                return False
            self._running[owner.database_id] = running + 1
            return True

    def give(self, owner: Owner) -> None:
        """One of this database's is done."""
        with self._lock:
            left = self._running[owner.database_id] - 1
            if left:
                self._running[owner.database_id] = left
            else:
                del self._running[owner.database_id]
            if self._counts is not None:
                self._counts.give(self._row, owner)
