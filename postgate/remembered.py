"""What was found out once and need not be asked for again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """At most `most` values by key; those that were put first go first.

    Whoever keeps one says what makes an entry stale, and takes it out then or has each use of it checked.

    Attributes:
        get: the value of a key, or None: the look-up of a dictionary, which takes neither a lock nor a call of ours.
    """

    def __init__(self, most: int, seconds: float = math.inf) -> None:
        self._most = most
        self._seconds = seconds
        self._lock = Lock()
        self._values: dict[K, V] = {}
        self._put_at: dict[K, float] = {}
        self.get: Callable[[K], V | None] = self._values.get

    def recent(self, key: K) -> V | None:
        """The value, unless it was put more than `seconds` ago."""
        if time.monotonic() - self._put_at.get(key, -math.inf) > self._seconds:
            return None
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            # Put again, it is the youngest.
            self._values.pop(key, None)
            self._values[key] = value
            if self._seconds != math.inf:
                self._put_at[key] = time.monotonic()
            if len(self._values) > self._most:
                self._drop(next(iter(self._values)))

    def forget(self, key: K) -> None:
        with self._lock:
            self._drop(key)

    def _drop(self, key: K) -> None:
        self._values.pop(key, None)
        self._put_at.pop(key, None)
