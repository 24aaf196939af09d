"""Few threads for the requests of a worker: the one that ran last is woken first, and nobody has them all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from postgate.http.terms import NoSlot, Slots


class Job(Protocol):
    """What is run.

    Attributes:
        owner: whose slot it takes; None where nobody knows yet. It changes only while the job runs.
    """

    owner: Any


T = TypeVar("T", bound=Job)


class Threads(Generic[T]):
    """Runs what is submitted, at most so many at once: of each owner in the order of its coming, and of several that
    wait in turns.

    A thread that sleeps for long finds nothing of its own in the processor's caches, and threads that are awake take
    the interpreter from each other: so as few as possible are, and they are always the same ones.
    """

    def __init__(
        self,
        most: int,
        run: Callable[[T], Any],
        turn_away: Callable[[T], None],
        slots: Slots | None = None,
        most_waiting: int = 64,
    ) -> None:
        """
        Args:
            run: does what was submitted, and returns the owner of the slot that it had: when it returns, the job may be
                somebody else's already. It raises nothing but NoSlot, where the job has found its owner and must be
                run again from its beginning.
            turn_away: takes a job that is not run, because too many of its owner's wait; it raises nothing.
            most_waiting: of each owner.
        """
        self._most = most
        self._run = run
        self._turn_away = turn_away
        self._slots = slots
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        # Whose turn it is comes first.
        self._waiting: dict[Any, deque[T]] = {}
        self._asleep: list[_Sleeper[T]] = []
        self._started = 0

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    def submit(self, job: T) -> None:
        """Run a job as soon as it may, or turn it away at once."""
        with self._lock:
            is_free = bool(self._asleep) or self._started < self._most
            runs = is_free and job.owner not in self._waiting and self._may_run(job.owner)
            sleeper = self._next_sleeper() if runs else None
            waits = not runs and self._wait(job)
        if runs:
            self._start(sleeper, job)
        elif not waits:
            self._turn_away(job)

    def withdraw(self, job: T) -> bool:
        """Take a job back, unless it runs already."""
        with self._lock:
            queue = self._waiting.get(job.owner)
            if queue is None or job not in queue:
                return False
            queue.remove(job)
            if not queue:
                del self._waiting[job.owner]
            return True

    def look_again(self) -> None:
        """Run what waits, as far as slots have become free that nobody here has given back."""
        while True:
            with self._lock:
                if not self._asleep and self._started == self._most:
                    return
                job = self._next()
                if job is None:
                    return
                sleeper = self._next_sleeper()
            self._start(sleeper, job)

    def _work(self, job: T) -> None:
        sleeper: _Sleeper[T] = _Sleeper()
        while True:
            owner = None
            started = monotonic()
            try:
                owner = self._run(job)
            except NoSlot:
                with self._lock:
                    waits = self._wait(job)
                if not waits:
                    self._turn_away(job)
            with self._lock:
                if owner is not None and self._slots is not None:
                    self._slots.give(owner, monotonic() - started)
                following = self._next() if self._waiting else None
                if following is None:
                    self._asleep.append(sleeper)
            job = sleeper.sleep() if following is None else following

    def _wait(self, job: T) -> bool:
        queue = self._waiting.get(job.owner, deque())
        if job.owner is not None and len(queue) >= self._most_waiting:
            return False
        queue.append(job)
        self._waiting[job.owner] = queue
        return True

    def _next(self) -> T | None:
        for owner, queue in self._waiting.items():
            if self._may_run(owner):
                job = queue.popleft()
                del self._waiting[owner]
                if queue:
                    self._waiting[owner] = queue
                return job
        return None

    def _may_run(self, owner: Any) -> bool:
        return owner is None or self._slots is None or self._slots.take(owner)

    def _next_sleeper(self) -> _Sleeper[T] | None:
        if self._asleep:
            return self._asleep.pop()
        self._started += 1
        return None

    def _start(self, sleeper: _Sleeper[T] | None, job: T) -> None:
        if sleeper is not None:
            sleeper.wake(job)
            return
        # A daemon: a worker that has waited for its time ends, though a statement goes on.
        threading.Thread(target=self._work, args=[job], name="postgate-request", daemon=True).start()


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
