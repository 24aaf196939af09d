"""Few threads for the requests of a worker, of which the one that ran last is woken first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Threads(Generic[T]):
    """Runs what is submitted, in the order of its coming, at most so many at once.

    A thread that sleeps for long finds nothing of its own in the processor's caches, and threads that are awake take
    the interpreter from each other: so as few as possible are, and they are always the same ones.
    """

    def __init__(self, most: int, run: Callable[[T], None]) -> None:
        """
        Args:
            run: does what was submitted; it raises nothing.
        """
        self._most = most
        self._run = run
        self._lock = threading.Lock()
        self._waiting: deque[T] = deque()
        self._asleep: list[_Sleeper[T]] = []
        self._started = 0

    def submit(self, job: T) -> None:
        with self._lock:
            if not self._asleep and self._started == self._most:
                self._waiting.append(job)
                return
            sleeper = self._asleep.pop() if self._asleep else None
            self._started += sleeper is None
        if sleeper is not None:
            sleeper.wake(job)
            return
        # A daemon: a worker that has waited for its time ends, though a statement goes on.
        threading.Thread(target=self._work, args=[job], name="postgate-request", daemon=True).start()

    def _work(self, job: T) -> None:
        sleeper: _Sleeper[T] = _Sleeper()
        while True:
            self._run(job)
            with self._lock:
                if self._waiting:
                    job = self._waiting.popleft()
                    continue
                self._asleep.append(sleeper)
            job = sleeper.sleep()


class _Sleeper(Generic[T]):
    """A thread that waits for a job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._job: list[T] = []

    def wake(self, job: T) -> None:
        self._job.append(job)
        self._lock.release()

    def sleep(self) -> T:
        self._lock.acquire()
        return self._job.pop()
