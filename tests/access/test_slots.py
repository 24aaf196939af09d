"""No database has more under way than it may, in one worker and in several."""

import mmap
import os
import signal
import time

import pytest

from postgate.access.slots import Counts, Owner, Slots

A, B = Owner("a", 3, 3), Owner("b", 3, 3)


def test_a_worker_keeps_half_of_its_connections_for_the_others() -> None:
    slots = Slots(2)
    assert [slots.take(A) for _ in range(3)] == [True, True, False]
    assert slots.take(B) and slots.has_room(B) and not slots.has_room(A)
    slots.give(A, 0.001)
    assert slots.take(A) and not slots.take(A)


def test_a_limit_that_changes_counts_what_runs() -> None:
    slots = Slots(8)
    assert slots.take(A) and slots.take(A)
    assert not slots.take(Owner("a", 2, 2))
    slots.give(A, 0.001)
    assert slots.take(Owner("a", 2, 2))


SLOW, OTHER = Owner("slow", 60, 2), Owner("other", 60, 2)


def taken(slots: Slots, owner: Owner, took_s: float = 1.0) -> int:
    """How many it may have at once; all are given back."""
    count = 0
    while slots.take(owner):
        count += 1
    for _ in range(count):
        slots.give(owner, took_s)
    return count


def test_who_is_alone_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(8)
    assert [taken(slots, SLOW) for _ in range(2)] == [8, 8]
    slots.take(OTHER)
    assert taken(slots, SLOW) == 2 and slots.has_room(SLOW)
    # It is the last that has asked, and the other one has not asked for long.
    monkeypatch.setattr("postgate.access.slots.LATELY_S", 0.0)
    assert taken(slots, SLOW) == 8


def test_who_is_quick_is_not_held_back() -> None:
    slots = Slots(8)
    slots.take(OTHER)
    # Nobody knows it yet.
    assert [taken(slots, SLOW, 0.001) for _ in range(2)] == [2, 8]
    assert taken(slots, SLOW, 2.0) == 8
    # What is refused at once does not make a database quick, and thousands of quick statements do.
    for took_s in [0.0] * 10_000:
        assert slots.take(SLOW)
        slots.give(SLOW, took_s)
    assert taken(slots, SLOW, 2.0) == 2
    for took_s in [0.001] * 10_000:
        assert slots.take(SLOW)
        slots.give(SLOW, took_s)
    assert taken(slots, SLOW) == 8


def test_a_limit_of_its_own_holds_for_slow_ones_too() -> None:
    slots = Slots(8)
    slots.take(OTHER)
    assert taken(slots, Owner("slow", 1, 4)) == 1


def test_workers_know_that_others_ask() -> None:
    counts = Counts(2)
    first, second = Slots(8), Slots(8)
    first.count_with_others(counts, 0)
    second.count_with_others(counts, 1)
    assert taken(first, SLOW) == 8
    second.take(OTHER)
    assert taken(first, SLOW) == 2
    second.take(SLOW)
    assert taken(first, SLOW) == 1


def test_workers_count_together() -> None:
    counts = Counts(3)
    workers = [Slots(2) for _ in range(3)]
    for row, slots in enumerate(workers):
        slots.count_with_others(counts, row)
    assert [slots.take(A) for slots in workers * 2] == [True, True, True, False, False, False]
    assert workers[0].take(B)
    workers[1].give(A, 0.001)
    assert workers[0].take(A) and not workers[2].take(A)
    # Who takes the place of one that was killed begins with nothing.
    Slots(2).count_with_others(counts, 0)
    assert workers[2].take(A)


@pytest.mark.parametrize("most", [1, 3])
def test_processes_never_have_more_than_the_limit_together(most: int) -> None:
    """Each counts those who have one while it has one itself."""
    processes, owner = 4, Owner("a", most, most)
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
                slots.give(owner, 0.001)
            os._exit(0 if got else 1)
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in children]
    assert statuses == [0] * processes
    assert counts.take(0, Owner("a", 1, 1), 1), "all have given back what they had"


def test_a_killed_worker_leaves_nothing_that_its_successor_does_not_clear() -> None:
    counts = Counts(2)
    pid = os.fork()
    if pid == 0:
        slots = Slots(8)
        slots.count_with_others(counts, 1)
        slots.take(A)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not counts.take(0, Owner("a", 1, 1), 1)
    Slots(8).count_with_others(counts, 1)
    assert counts.take(0, Owner("a", 1, 1), 1)
