"""How many statements of each database run at once, so that none of them has all threads and connections."""

from __future__ import annotations

import math
import mmap
import time
from threading import Lock
from typing import NamedTuple

# Databases are counted by a hash, which is salted anew at each start: two that meet count as one.
_BUCKETS = 16_384
# While another database has asked for something within this time, one does not have all processors.
LATELY_S = 60.0
# A statement that takes longer than this is no point read, whatever else the server does.
SLOW_S = 0.02
# How much time of its statements a database's pace goes back.
PACE_S = 1.0
_MAX_PACES = 10_000
_COUNT_BYTES = 2


class Owner(NamedTuple):
    """A database, and how many statements of it may run at once on all workers of the machine.

    Attributes:
        most_slow: the same while other databases ask for something too, and its statements are slow: they may keep
            PostgreSQL's processors busy.
    """

    database_id: str
    most: int
    most_slow: int


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
        # The two that have asked last: a hash and when, twice. Two that write at once may spoil it for a moment.
        self._asked = memoryview(mmap.mmap(-1, 4 * 8)).cast("d")
        self._shared = mmap.mmap(-1, workers * _BUCKETS * _COUNT_BYTES)
        self._cells = memoryview(self._shared).cast("H")

    def clear(self, row: int) -> None:
        start = row * _BUCKETS * _COUNT_BYTES
        self._shared[start : start + _BUCKETS * _COUNT_BYTES] = bytes(_BUCKETS * _COUNT_BYTES)

    def note(self, owner: Owner, now: float) -> bool:
        """Take note that a database asks for something; whether others have done so lately.

        Args:
            now: by time.monotonic, which all processes of a machine share.
        """
        asked, bucket = self._asked, _bucket(owner)
        if asked[0] != bucket:
            asked[2], asked[3] = asked[0], asked[1]
            asked[0] = bucket
        asked[1] = now
        return now - asked[3] < LATELY_S

    def take(self, row: int, owner: Owner, most: int) -> bool:
        """Whether one more may run, which makes no more than `most`.

        Its own count goes up before the others are read: two workers that take at once may both be refused, and never
        both be let through beyond the limit.
        """
        bucket = _bucket(owner)
        self._cells[row * _BUCKETS + bucket] += 1
        if sum(self._cells[bucket::_BUCKETS]) <= most:
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
        # How long a database's statements take of late, in seconds: a moving average, so that no entry stays stale.
        self._pace: dict[str, float] = {}
        self._counts, self._row = Counts(1), 0

    def count_with_others(self, counts: Counts, row: int) -> None:
        """Before the first request: count in this row of those that the workers share."""
        counts.clear(row)
        self._counts, self._row = counts, row

    def has_room(self, owner: Owner) -> bool:
        """Whether one more of this database's could run here, as far as this worker knows."""
        return self._running.get(owner.database_id, 0) < min(self._most_here, self._most(owner))

    def take(self, owner: Owner) -> bool:
        """Whether one more of this database's may run; then `give` follows."""
        with self._lock:
            running = self._running.get(owner.database_id, 0)
            most = self._most(owner)
            if running >= min(self._most_here, most) or not self._counts.take(self._row, owner, most):
                return False
            self._running[owner.database_id] = running + 1
            return True

    def _most(self, owner: Owner) -> int:
        is_alone = not self._counts.note(owner, time.monotonic())
        is_quick = self._pace.get(owner.database_id, math.inf) < SLOW_S
        return owner.most if is_alone or is_quick else min(owner.most, owner.most_slow)

    def give(self, owner: Owner, took_s: float) -> None:
        """One of this database's is done, which has taken so long."""
        with self._lock:
            if len(self._pace) > _MAX_PACES:
                self._pace.clear()
            # Each counts by its time: one that takes seconds is not outweighed by a few that are refused at once.
            pace = self._pace.get(owner.database_id, took_s)
            self._pace[owner.database_id] = pace + (took_s - pace) * took_s / (took_s + PACE_S)
            left = self._running[owner.database_id] - 1
            if left:
                self._running[owner.database_id] = left
            else:
                del self._running[owner.database_id]
            self._counts.give(self._row, owner)
