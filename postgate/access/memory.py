"""The memory that large requests of a worker have together: beyond it they wait for their turn, and no database has
more than half."""

from __future__ import annotations

from threading import Condition

from postgate.errors import Unavailable


class Memory:
    """Counts what the requests of a worker hold.

    They ask for more while they run. If each of them had a part and waited for the rest none would ever go on, so the
    one that has run longest gets what it asks for, though it is beyond the limit.
    """

    def __init__(self, most_bytes: int, wait_s: float) -> None:
        """
        Args:
            wait_s: how long a request waits for others to give back what they hold.
        """
        self._most_bytes = most_bytes
        self._wait_s = wait_s
        self._changed = Condition()
        self._held: dict[str, int] = {}
        # Of those that may still ask for more, the one that has run longest comes first.
        self._growing: dict[Holding, None] = {}

    @property
    def held_bytes(self) -> int:
        return sum(self._held.values())

    def take(self, holding: Holding, size: int) -> None:
        """
        Raises:
            Unavailable: others have held too much for too long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(holding, size), self._wait_s):
                raise Unavailable("requests that are under way take all memory for large ones")
            self._held[holding.database_id] = self._held.get(holding.database_id, 0) + size
            self._growing[holding] = None

    def give(self, holding: Holding, size: int) -> None:
        """Take back some of what a request has, or nothing; it asks for no more."""
        with self._changed:
            left = self._held[holding.database_id] - size
            if left:
                self._held[holding.database_id] = left
            else:
                del self._held[holding.database_id]
            self._growing.pop(holding, None)
            self._changed.notify_all()

    def _has_room(self, holding: Holding, size: int) -> bool:
        of_all, of_database = self.held_bytes, self._held.get(holding.database_id, 0)
        if not holding.bytes:
            # What is larger than all that there is has its turn too, alone.
            is_first_of_all, is_first = not of_all, not of_database
        else:
            of_this = (one for one in self._growing if one.database_id == holding.database_id)
            is_first_of_all, is_first = next(iter(self._growing)) is holding, next(of_this) is holding
        return (is_first_of_all or of_all + size <= self._most_bytes) and (
            is_first or of_database + size <= self._most_bytes // 2
        )


class Holding:
    """What one request holds.

    Attributes:
        database_id: whose share it is of; set before anything is held.
    """

    def __init__(self, memory: Memory) -> None:
        self.database_id = ""
        self.bytes = 0
        self._memory = memory

    def require(self, size: int) -> None:
        """Hold at least so many bytes.

        Raises:
            Unavailable: as of `Memory.take`.
        """
        if size > self.bytes:
            self._memory.take(self, size - self.bytes)
            self.bytes = size

    def keep(self, size: int) -> None:
        """Hold no more than so many bytes, and ask for no more."""
        if self.bytes:
            kept = min(size, self.bytes)
            self._memory.give(self, self.bytes - kept)
            self.bytes = kept
