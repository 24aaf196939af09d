"""The memory of a worker after its largest requests."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from threading import Thread

# What a worker may have grown by before it looks for something to give back.
GROWTH_BYTES = 32 * 1024 * 1024
LOOK_S = 1.0
# M_ARENA_MAX of malloc.h. By default each thread has a heap of its own, up to eight for each processor, and what was
# freed in one of them is of no use to the others.
_ARENA_MAX = -8
_ARENAS = 2
_STATM = Path("/proc/self/statm")


def give_back() -> None:
    """Have this process give memory back to the system that its allocator keeps; in a worker, before its first request.

    glibc returns only what is free at the end of a heap. Other allocators have other habits, so nothing happens there.
    """
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") and _STATM.exists()):
        return
    libc.mallopt(_ARENA_MAX, _ARENAS)

    def watch() -> None:
        usual = _resident_bytes()
        while True:
            time.sleep(LOOK_S)
            if _resident_bytes() - usual > GROWTH_BYTES:
                # While it runs, other threads go on.
                libc.malloc_trim(0)
            # What is in use for long is not looked for again and again.
            usual += (_resident_bytes() - usual) // 10

    Thread(target=watch, name="postgate-heap", daemon=True).start()


def _resident_bytes() -> int:
    return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGESIZE")
