"""Each worker on one processor.

The threads of a Python process take turns at the interpreter. Where they may run on several processors, each turn wakes
another one, and a request has about ten of them: that takes longer than what the threads do.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any


def choose(arbiter: Any, worker: Any, port: int) -> None:
    """In gunicorn's master, before a worker is made: the processor that the fewest of its workers have.

    Args:
        port: which processor comes first, so that several services on a machine do not begin with the same.
    """
    processors = sorted(os.sched_getaffinity(0))
    first = port % len(processors)
    taken = Counter(getattr(other, "processor", None) for other in arbiter.WORKERS.values())
    worker.processor = min(processors[first:] + processors[:first], key=lambda processor: taken[processor])


def keep(worker: Any) -> None:
    """In the worker: stay on the chosen processor."""
    os.sched_setaffinity(0, {worker.processor})
