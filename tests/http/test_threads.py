"""Nobody has all threads, and who waits is run when it is its turn."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from postgate.http.terms import NoSlot
from postgate.http.threads import Threads


class Slots:
    """Two for each owner."""

    def __init__(self) -> None:
        self.taken: Counter[Any] = Counter()
        self.room = 2
        self._lock = threading.Lock()

    def has_room(self, owner: Any) -> bool:
        return self.taken[owner] < self.room

    def take(self, owner: Any) -> bool:
        with self._lock:
            if self.taken[owner] >= self.room:
                return False
            self.taken[owner] += 1
            return True

    def give(self, owner: Any, took_s: float) -> None:
        with self._lock:
            self.taken[owner] -= 1


class Job:
    def __init__(self, owner: Any, joins: Any = None) -> None:
        self.owner = owner
        self.joins = joins
        self.began = threading.Event()
        self.ends = threading.Event()
        self.ended = threading.Event()
        self.turned_away = threading.Event()


@contextmanager
def running(most: int, most_waiting: int = 64) -> Iterator[tuple[Threads[Job], Slots, Callable[..., list[Job]]]]:
    """Threads, their slots, and what submits jobs; in the end all jobs have run and all slots are free."""
    slots = Slots()
    jobs: list[Job] = []

    def run(job: Job) -> Any:
        if job.joins is not None and job.owner is None:
            job.owner = job.joins
            if not slots.take(job.owner):
                raise NoSlot
        job.began.set()
        assert job.ends.wait(10)
        owner, job.owner = job.owner, "the next one's"
        job.ended.set()
        return owner

    threads = Threads(most, run, lambda job: job.turned_away.set(), slots, most_waiting)

    def submit(*owners: Any, joins: Any = None) -> list[Job]:
        some = [Job(owner, joins) for owner in owners]
        for job in some:
            threads.submit(job)
            jobs.append(job)
        return some

    yield threads, slots, submit
    for job in jobs:
        job.ends.set()
    for job in jobs:
        assert job.ended.wait(10)
    deadline = time.monotonic() + 5
    while +slots.taken:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not threads.has_waiting


def test_an_owner_has_its_slots_and_the_others_have_the_threads() -> None:
    with running(4) as (_, slots, submit):
        greedy = submit(*"aaaaaaaa")
        modest = submit("b", "c")
        for job in (*greedy[:2], *modest):
            assert job.began.wait(5)
        assert slots.taken == {"a": 2, "b": 1, "c": 1}
        # In the order of their coming.
        greedy[0].ends.set()
        assert greedy[2].began.wait(5)
        assert not any(job.began.is_set() for job in greedy[3:])


def test_owners_that_wait_for_a_thread_take_turns() -> None:
    with running(1) as (_, __, submit):
        (first,) = submit("a")
        assert first.began.wait(5)
        rest = submit(*"aaabb")
        order = [rest[0], rest[3], rest[1], rest[4], rest[2]]
        for last, following in zip([first, *order[:-1]], order, strict=True):
            last.ends.set()
            assert following.began.wait(5)
            assert sum(job.began.is_set() for job in rest) == order.index(following) + 1


def test_a_full_queue_takes_no_more_and_what_is_withdrawn_makes_place() -> None:
    with running(4, most_waiting=2) as (threads, _, submit):
        jobs = submit(*"aa")
        waiting = Job("a")
        threads.submit(waiting)
        jobs += submit("a")
        refused = Job("a")
        threads.submit(refused)
        assert refused.turned_away.is_set()
        submit("b")
        assert threads.withdraw(waiting)
        assert not threads.withdraw(waiting)
        assert not threads.withdraw(jobs[0])
        submit("a")
    assert not waiting.began.is_set()


def test_who_turns_out_to_be_of_an_owner_without_a_slot_is_run_later() -> None:
    with running(8) as (_, slots, submit):
        jobs = submit(*[None] * 5, joins="a")
        deadline = time.monotonic() + 5
        while sum(job.began.is_set() for job in jobs) < 2:
            assert time.monotonic() < deadline
        (other,) = submit("b")
        assert other.began.wait(5)
        assert slots.taken == {"a": 2, "b": 1}
        assert sum(job.began.is_set() for job in jobs) == 2


def test_a_full_queue_takes_nobody_who_finds_its_owner_late() -> None:
    with running(8, most_waiting=1) as (threads, _, submit):
        jobs = submit(*"aa")
        submit("a")
        late = Job(None, joins="a")
        threads.submit(late)
        assert late.turned_away.wait(5)
        assert not late.began.is_set()
        (other,) = submit("b")
        assert other.began.wait(5) and jobs[1].began.is_set()


def test_a_slot_that_somebody_else_has_given_back_is_found() -> None:
    with running(4) as (threads, slots, submit):
        slots.room = 0
        (job,) = submit("a")
        threads.look_again()
        assert not job.began.wait(0.1)
        slots.room = 2
        threads.look_again()
        assert job.began.wait(5)
