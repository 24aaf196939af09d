"""What goes on beside a test."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def in_threads(tasks: Sequence[Callable[[], None]], stop: threading.Event, wait_s: float = math.inf) -> Iterator[None]:
    """Run tasks, each in a thread of its own, until the body ends.

    Args:
        stop: set then; the tasks look at it.
        wait_s: how long to wait for all of them to end.
    """
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        end = time.monotonic() + wait_s
        for thread in threads:
            thread.join(None if wait_s == math.inf else max(0.0, end - time.monotonic()))
