"""The one cache: bounded, the oldest go first, and some entries only for a while."""

import time
from concurrent.futures import ThreadPoolExecutor

from postgate.remembered import Remembered


def test_the_oldest_go_first() -> None:
    squares: Remembered[int, int] = Remembered(3)
    for number in range(3):
        squares.put(number, number * number)
    squares.put(0, 0)
    squares.put(3, 9)
    assert [squares.get(number) for number in range(4)] == [0, None, 4, 9]


def test_what_is_forgotten_is_gone() -> None:
    squares: Remembered[int, int] = Remembered(3)
    squares.put(2, 4)
    squares.forget(2)
    squares.forget(5)
    assert squares.get(2) is None


def test_an_entry_is_recent_for_its_seconds() -> None:
    names: Remembered[str, str] = Remembered(3, seconds=0.05)
    assert names.recent("a") is None
    names.put("a", "b")
    assert names.recent("a") == "b"
    time.sleep(0.06)
    assert names.recent("a") is None
    names.put("a", "c")
    assert names.recent("a") == "c"


def test_without_seconds_an_entry_stays_recent() -> None:
    names: Remembered[str, str] = Remembered(3)
    names.put("a", "b")
    assert names.recent("a") == "b"
    assert names.recent("b") is None


def test_many_threads_never_make_it_larger() -> None:
    remembered: Remembered[int, int] = Remembered(50, seconds=60)

    def fill(start: int) -> None:
        for number in range(start, start + 2_000):
            remembered.put(number, number)
            assert remembered.get(number) in (number, None)
            remembered.forget(number - 7)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fill, range(0, 8_000, 1_000)))
    assert sum(remembered.get(number) is not None for number in range(12_000)) <= 50
