"""How much memory a process of the embedded PostgreSQL may have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

# What a container may have, which is less than its machine (the kernel's documentation of cgroup-v2 and memory).
_CONTAINERS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Bytes. PostgreSQL's code and shared memory take 200 MB of the address space before it does anything.
_LEAST = 512 * 2**20


def half_of_the_machine() -> int:
    """Bytes, and on a small machine what PostgreSQL needs."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _CONTAINERS:
        with suppress(OSError, ValueError):
            most = min(most, int(path.read_text()))
    return max(most // 2, _LEAST)


def limited(command: Sequence[str | Path], memory_bytes: int) -> list[str | Path]:
    """A command that limits its own address space, and that of each process it starts, before it becomes `command`.

    Beyond it PostgreSQL's allocations fail with an error of the statement (SQLSTATE 53200). Without it the kernel kills
    a process when the machine has no more, and PostgreSQL then restarts for all tenants (its manual, Linux Memory
    Overcommit). A limit of the machine's own that is lower stays, and systems that know no such limit go without.
    """
    return ["/bin/sh", "-c", 'ulimit -v "$0" 2>/dev/null; exec "$@"', str(memory_bytes // 1024), *command]
