"""Large requests wait for memory, and no database has more than half of it."""

import threading
import time

import pytest

from postgate.access.memory import Holding, Memory
from postgate.errors import Unavailable


def holding(memory: Memory, database_id: str, size: int = 0) -> Holding:
    made = Holding(memory)
    made.database_id = database_id
    made.require(size)
    return made


def test_a_database_has_half() -> None:
    memory = Memory(100, wait_s=0)
    first = holding(memory, "a", 30)
    with pytest.raises(Unavailable):
        holding(memory, "a", 21)
    others = [holding(memory, "a", 20), holding(memory, "b", 50)]
    with pytest.raises(Unavailable):
        holding(memory, "c", 1)
    first.keep(10)
    others.append(holding(memory, "c", 20))
    assert memory.held_bytes == 100
    for each in (first, *others):
        each.keep(0)
    assert memory.held_bytes == 0


def test_what_is_larger_than_all_has_it_alone() -> None:
    memory = Memory(100, wait_s=0)
    large = holding(memory, "a", 300)
    with pytest.raises(Unavailable):
        holding(memory, "b", 1)
    large.keep(0)
    small = holding(memory, "b", 1)
    with pytest.raises(Unavailable):
        large.require(300)
    small.keep(0)
    large.require(300)


def test_the_eldest_goes_on_and_the_others_after_it() -> None:
    memory = Memory(100, wait_s=0)
    first, second = holding(memory, "a", 25), holding(memory, "a", 25)
    with pytest.raises(Unavailable):
        second.require(60)
    first.require(60)
    # It asks for no more now, but its answer is still there.
    first.keep(59)
    second.require(60)
    with pytest.raises(Unavailable):
        holding(memory, "b", 1)
    second.keep(0)
    other = holding(memory, "b", 10)
    other.require(41)


def test_who_has_enough_asks_nobody() -> None:
    memory = Memory(100, wait_s=0)
    first = holding(memory, "a", 30)
    first.require(20)
    assert memory.held_bytes == 30
    first.keep(40)
    assert memory.held_bytes == 30


def test_who_keeps_all_is_no_longer_the_eldest() -> None:
    memory = Memory(100, wait_s=0)
    first, second = holding(memory, "a", 25), holding(memory, "a", 25)
    first.keep(25)
    second.require(60)


def test_a_request_waits_for_its_turn() -> None:
    memory = Memory(100, wait_s=10)
    first = holding(memory, "a", 50)
    given_back = threading.Timer(0.2, first.keep, [0])
    given_back.start()
    started = time.monotonic()
    holding(memory, "a", 50)
    assert time.monotonic() - started >= 0.15
    given_back.join()
