"""What breaks: processes, sessions and the network, under writes of which each is accounted for."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import psutil
import psycopg
from observer import Client
from sides import Stand
from support.proxies import Network

WRITERS = 6
# How long a fault lasts, where it does.
FAULT_S = 2.0
RECOVERY_S = 30.0
INSERT = "INSERT INTO written VALUES ($1)"


class Outcome(NamedTuple):
    """What became of the writes. `told` counts the answers that were no 200.

    Attributes:
        longest_s: the longest time that a client waited for an answer.
        recovery_s: from the end of the fault to the first of the writes that began afterwards and succeeded.
        lost: told as done, and not there.
        doubled: there more than once.
        misreported: told as not done, without a doubt, and there.
    """

    writes: int
    told: Counter[str]
    longest_s: float
    recovery_s: float
    lost: int
    doubled: int
    misreported: int

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.doubled or self.misreported)


class _Writers:
    def __init__(self, url: str, token: str, numbers: count[int]) -> None:
        self.done: dict[int, float] = {}
        self.refused: set[int] = set()
        self.told: Counter[str] = Counter()
        self.longest_s = 0.0
        self._url, self._token, self._numbers = url, token, numbers
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        client = Client(self._url, self._token)
        while not self._stop.is_set():
            number = next(self._numbers)
            started = time.monotonic()
            try:
                status, answer = client.query(INSERT, number)
                if status == 200:
                    self.done[number] = started
                else:
                    self.told[f"{status} {answer['code']}"] += 1
                    if answer.get("outcome") != "unknown":
                        self.refused.add(number)
                    time.sleep(0.05)
            except (OSError, http.client.HTTPException, ValueError) as error:
                # Nobody has said anything: it may stand or not.
                self.told[type(error).__name__] += 1
                time.sleep(0.05)
            self.longest_s = max(self.longest_s, time.monotonic() - started)
        client.close()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def provoke(stand: Stand, fault: Callable[[Stand], None], token: str, numbers: count[int]) -> Outcome:
    """Write all the time, have the fault, and account for every write when all is well again."""
    first = next(numbers)
    writers = _Writers(stand.service.url, token, numbers)
    time.sleep(0.5)
    fault(stand)
    over = time.monotonic()
    while not any(started > over for started in list(writers.done.values())):
        if time.monotonic() > over + RECOVERY_S:
            break
        time.sleep(0.01)
    recovery = time.monotonic() - over
    time.sleep(0.5)
    writers.end()
    with psycopg.connect(stand.conninfo, autocommit=True) as connection:
        # Until no statement of a writer's is under way any more.
        busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INSERT INTO written%' AND state = 'active'"
        while connection.execute(busy + " AND pid <> pg_backend_pid()").fetchone() != (0,):
            time.sleep(0.1)
        table = f'"{stand.schema}".written'
        found = connection.execute(f"SELECT n, count(*) FROM {table} WHERE n >= {first} GROUP BY n").fetchall()
    there = dict(found)
    return Outcome(
        len(writers.done) + writers.told.total(),
        writers.told,
        writers.longest_s,
        recovery,
        sum(number not in there for number in writers.done),
        sum(times > 1 for times in there.values()),
        sum(number in there for number in writers.refused),
    )


def nothing(_: Stand) -> None:
    """For comparison."""
    time.sleep(FAULT_S)


def sessions_are_ended(stand: Stand) -> None:
    with psycopg.connect(stand.conninfo, autocommit=True) as connection:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postgate'"
        for _ in range(10):
            connection.execute(end)
            time.sleep(0.1)


def a_session_is_killed(stand: Stand) -> None:
    """PostgreSQL ends all sessions then, and recovers."""
    with psycopg.connect(stand.conninfo, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'postgate' LIMIT 1"
        ((pid,),) = connection.execute(query).fetchall()
    os.kill(pid, signal.SIGKILL)


def postgresql_is_killed(stand: Stand) -> None:
    os.kill(stand.postmaster(), signal.SIGKILL)
    stand.until_postgresql_runs()


def postgresql_restarts(stand: Stand) -> None:
    os.kill(stand.postmaster(), signal.SIGINT)
    stand.until_postgresql_runs()


def postgresql_stands_still(stand: Stand) -> None:
    processes = [psutil.Process(stand.postmaster())]
    processes += processes[0].children(recursive=True)
    for process in processes:
        process.suspend()
    time.sleep(FAULT_S)
    for process in processes:
        process.resume()


def the_network_resets(stand: Stand) -> None:
    end = time.monotonic() + FAULT_S
    while time.monotonic() < end:
        stand.proxy.cut()
        time.sleep(0.1)


def the_network_swallows(stand: Stand) -> None:
    stand.proxy.network = Network.BLACK_HOLE
    time.sleep(FAULT_S)
    stand.proxy.cut()
    stand.proxy.network = Network.FORWARDS


def a_worker_is_killed(stand: Stand) -> None:
    os.kill(stand.workers()[0], signal.SIGKILL)


def a_worker_stands_still(stand: Stand) -> None:
    worker = psutil.Process(stand.workers()[0])
    worker.suspend()
    time.sleep(FAULT_S)
    worker.resume()


def workers_are_reloaded(stand: Stand) -> None:
    os.kill(stand.master(), signal.SIGHUP)
    time.sleep(FAULT_S)


def the_service_is_restarted(stand: Stand) -> None:
    stand.restart(signal.SIGTERM)


def the_master_is_killed(stand: Stand) -> None:
    stand.restart(signal.SIGKILL)


# Half a minute, for the tests.
QUICK = (sessions_are_ended, a_session_is_killed, the_network_swallows, a_worker_is_killed, the_master_is_killed)
BREAKAGES = {
    function.__name__.replace("_", " "): function
    for function in (
        nothing,
        sessions_are_ended,
        a_session_is_killed,
        postgresql_is_killed,
        postgresql_restarts,
        postgresql_stands_still,
        the_network_resets,
        the_network_swallows,
        a_worker_is_killed,
        a_worker_stands_still,
        workers_are_reloaded,
        the_service_is_restarted,
        the_master_is_killed,
    )
}
