"""Who is told of the requests that are answered."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic, sleep

from postgate.observe.alike import Answered, answered_together
from postgate.observe.events import RecordsDropped, UnexpectedFailure, happened
from postgate.observe.requests import RequestRecord, monotonic_began

# How long the first of those that are answered together waits for the others.
_TOGETHER_S = 0.05
# Requests that wait to be told of; more are dropped, and counted.
_MAX_WAITING = 20_000

_listeners: list[Callable[[Answered], None]] = []


class _Untold:
    """The requests that are answered and not yet told of.

    A thread tells of many together: a write for each log line, and a lock for each count, would cost the requests more
    than all else that is noted of them. What is lost if the process is killed are those of the last moment.
    """

    def __init__(self) -> None:
        self.begin()
        # Nothing of this is a forked process': the thread is its parent's, and so is what waits.
        os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        self._waiting: deque[RequestRecord] = deque()
        # The thread waits for something in the queue. While it is awake nobody has to put it there.
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._is_awake = False
        self._telling, self._starting = threading.Lock(), threading.Lock()
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def add(self, record: RequestRecord) -> None:
        """A request is answered: `record` has all that is known of it."""
        if not record.ended:
            record.ended = monotonic()
        if not _listeners:
            return
        waiting = self._waiting
        if len(waiting) >= _MAX_WAITING:
            self._dropped += 1
            return
        waiting.append(record)
        if not self._is_awake:
            self._wake()

    def tell(self) -> None:
        """Tell the listeners of what is answered so far; before the process ends, and in tests."""
        with self._telling:
            count = len(self._waiting)
            records = [self._waiting.popleft() for _ in range(count)]
            began = monotonic_began()
            for record in records:
                record.settle(began)
            told = answered_together(records)
            for listener in _listeners:
                try:
                    listener(told)
                except Exception as error:
                    # The others, and those that come later, are told nevertheless.
                    happened(UnexpectedFailure.of(error))
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                happened(RecordsDropped(dropped))

    def _wake(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="postgate-observe", daemon=True)
                self._thread.start()
        self._is_awake = True
        self._wakes.put(None)

    def _run(self) -> None:
        while True:
            self._wakes.get()
            sleep(_TOGETHER_S)
            self._is_awake = False
            try:
                self.tell()
            except Exception as error:
                # Without this thread nothing would be logged or counted any more.
                happened(UnexpectedFailure.of(error))


_untold = _Untold()
answered, tell_now = _untold.add, _untold.tell


def listen(listener: Callable[[Answered], None]) -> None:
    """Have a listener told of the requests that are answered from now on, in a thread of its own; it raises nothing."""
    _listeners.append(listener)


def unlisten(listener: Callable[[Answered], None]) -> None:
    if listener in _listeners:
        _listeners.remove(listener)
