"""No database has more under way than it may, in one worker and in several."""

import mmap
import os
import signal
import time

import pytest

from postgate.access.slots import Counts, Owner, Slots

A, B = Owner("a", 3), Owner("b", 3)


def test_a_worker_keeps_half_of_its_connections_for_the_others() -> None:
    slots = Slots(2)
    assert [slots.take(A) for _ in range(3)] == [True, True, False]
    assert slots.take(B) and slots.has_room(B) and not slots.has_room(A)
    slots.give(A)
    assert slots.take(A) and not slots.take(A)


def test_a_limit_that_changes_counts_what_runs() -> None:
    slots = Slots(8)
    assert slots.take(A) and slots.take(A)
    assert not slots.take(Owner("a", 2))
    slots.give(A)
    assert slots.take(Owner("a", 2))


def test_workers_count_together() -> None:
    counts = Counts(3)
    workers = [Slots(2) for _ in range(3)]
    for row, slots in enumerate(workers):
        slots.count_with_others(counts, row)
    assert [slots.take(A) for slots in workers * 2] == [True, True, True, False, False, False]
    assert workers[0].take(B)
    workers[1].give(A)
    assert workers[0].take(A) and not workers[2].take(A)
    # Who takes the place of one that was killed begins with nothing.
    Slots(2).count_with_others(counts, 0)
    assert workers[2].take(A)


@pytest.mark.parametrize("most", [1, 3])
def test_processes_never_have_more_than_the_limit_together(most: int) -> None:
    """Each counts those who have one while it has one itself."""
    processes, owner = 4, Owner("a", most)
    counts, holding = Counts(processes), mmap.mmap(-1, processes)
    children = []
    for row in range(processes):
        pid = os.fork()
        if pid == 0:
            slots = Slots(8)
            slots.count_with_others(counts, row)
            got = 0
            end = time.monotonic() + 1
            while time.monotonic() < end:
                if not slots.take(owner):
                    continue
                got += 1
                holding[row] = 1
                if sum(holding[:]) > most:
                    os._exit(2)
                time.sleep(0.0005)
                holding[row] = 0
                slots.give(owner)
            os._exit(0 if got else 1)
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    assert statuses == [0] * processes
    assert counts.take(0, Owner("a", 1)), "all have given back what they had"


def test_a_killed_worker_leaves_nothing_that_its_successor_does_not_clear() -> None:
    counts = Counts(2)
    pid = os.fork()
    if pid == 0:
        slots = Slots(8)
        slots.count_with_others(counts, 1)
        slots.take(A)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not counts.take(0, Owner("a", 1))
    Slots(8).count_with_others(counts, 1)
    assert counts.take(0, Owner("a", 1))
