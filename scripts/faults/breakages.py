"""What breaks: processes, sessions and the network, under writes of which each is accounted for."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import count
from typing import Any, NamedTuple

import psutil
import psycopg
from observer import Client
from psycopg.conninfo import make_conninfo
from stands import (
    Pooled,
    Proxied,
    Replicated,
    Stand,
    another,
    of_an_older_version,
    on_a_small_disk,
    pooled,
    pooled_as_it_comes,
    proxied,
    replicated,
)
from support.paths import a_directory
from support.proxies import Network

from postgate import embedded

WRITERS = 6
# How long a fault lasts, where it does.
FAULT_S = 2.0
RECOVERY_S = 30.0
INSERT = "INSERT INTO written VALUES ($1)"


class Group(NamedTuple):
    """Faults of one stand.

    Attributes:
        prefix: what is printed before their names.
    """

    prefix: str
    stand: Callable[[], AbstractContextManager[Any]]
    faults: tuple[Callable[[Any], None], ...]

    def chosen(self, only: str) -> dict[str, Callable[[Any], None]]:
        """Those whose name has this in it."""
        named = {self.prefix + fault.__name__.replace("_", " "): fault for fault in self.faults}
        return {name: fault for name, fault in named.items() if only in name}


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


def provoke(stand: Stand, fault: Callable[[Any], None], numbers: count[int]) -> Outcome:
    """Write all the time, have the fault, and account for every write when all is well again."""
    first = next(numbers)
    writers = _Writers(stand.service.url, stand.token, numbers)
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
    there: dict[int, int] = dict(found)
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
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'postgate%'"
        for _ in range(10):
            connection.execute(end)
            time.sleep(0.1)


def a_session_is_killed(stand: Stand) -> None:
    """PostgreSQL ends all sessions then, and recovers."""
    with psycopg.connect(stand.conninfo, autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'postgate%' LIMIT 1"
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


def the_network_resets(stand: Proxied) -> None:
    end = time.monotonic() + FAULT_S
    while time.monotonic() < end:
        stand.proxy.cut()
        time.sleep(0.1)


def the_network_swallows(stand: Proxied) -> None:
    stand.proxy.network = Network.BLACK_HOLE
    time.sleep(FAULT_S)
    stand.proxy.cut()
    stand.proxy.network = Network.FORWARDS


def answers_come_by_halves(stand: Proxied) -> None:
    stand.proxy.network = Network.HALVES
    time.sleep(FAULT_S)
    stand.proxy.network = Network.FORWARDS


def others_have_all_connections(stand: Stand) -> None:
    """Each that a session of the service's gives up is taken by somebody else at once."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'postgate%'"
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(stand.conninfo, autocommit=True))
        until = time.monotonic() + FAULT_S
        while time.monotonic() < until:
            connection.execute(end)
            with suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(stand.conninfo))
            time.sleep(0.05)


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


def pgbouncer_is_killed(stand: Pooled) -> None:
    stand.bouncer.restart()


def the_primary_is_killed(stand: Replicated) -> None:
    os.kill(stand.postmaster(), signal.SIGKILL)
    stand.promote()


def the_primary_is_stopped(stand: Replicated) -> None:
    os.kill(stand.postmaster(), signal.SIGINT)
    stand.promote()


def the_disk_is_full(stand: Stand) -> None:
    """Neither tables nor PostgreSQL's log of changes can grow, and it ends when the latter has to."""
    ballast = stand.cluster.data_dir / "ballast"
    fill = "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 100000)"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    end = time.monotonic() + FAULT_S
    while time.monotonic() < end:
        for sql in ("SELECT pg_switch_wal()", fill):
            with (
                suppress(psycopg.Error),
                psycopg.connect(stand.conninfo, autocommit=True, connect_timeout=2) as connection,
            ):
                connection.execute(sql)
        time.sleep(0.05)
    ballast.unlink()
    stand.until_postgresql_runs()


def twenty_services_start(stand: Stand) -> None:
    """At once, on a database that none of them has migrated yet."""
    with psycopg.connect(stand.conninfo, autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
    with ExitStack() as stack:
        fresh = make_conninfo(stand.conninfo, dbname="fresh")
        for process in [stack.enter_context(another(stand, fresh)) for _ in range(20)]:
            process.healthy()


def this_version_starts_beside_it(stand: Stand) -> None:
    """It migrates the database, and the older one goes on."""
    with another(stand) as process:
        process.healthy()
        time.sleep(FAULT_S)


def a_dump_is_restored(stand: Stand) -> None:
    """On a new server, where a service has to find the walls as they were, and the tokens to open the same."""
    with a_directory() as directory, embedded.running(directory / "data") as conninfo:
        binaries = stand.cluster.binaries
        source, target = (make_conninfo(one, dbname="postgres") for one in (stand.conninfo, conninfo))
        dump = subprocess.run([binaries / "pg_dumpall", "-d", source], capture_output=True, check=True)
        # The login and its database are there already.
        subprocess.run([binaries / "psql", "-q", target], input=dump.stdout, capture_output=True, check=True)
        with another(stand, conninfo) as process:
            process.healthy()
            there = Client(f"http://127.0.0.1:{process.port}", stand.token)
            if not there.rows("SELECT count(*) AS n FROM written")[0]["n"]:
                raise RuntimeError("what was written is not in the dump")


# A minute, for the tests.
QUICK = (
    Group(
        "",
        proxied,
        (
            sessions_are_ended,
            a_session_is_killed,
            the_network_swallows,
            answers_come_by_halves,
            others_have_all_connections,
            a_worker_is_killed,
            the_master_is_killed,
        ),
    ),
    Group("", replicated, (the_primary_is_killed,)),
)
GROUPS = (
    Group(
        "",
        proxied,
        (
            nothing,
            sessions_are_ended,
            a_session_is_killed,
            postgresql_is_killed,
            postgresql_restarts,
            postgresql_stands_still,
            the_network_resets,
            the_network_swallows,
            answers_come_by_halves,
            others_have_all_connections,
            a_worker_is_killed,
            a_worker_stands_still,
            workers_are_reloaded,
            the_service_is_restarted,
            the_master_is_killed,
            twenty_services_start,
            a_dump_is_restored,
        ),
    ),
    Group("", replicated, (the_primary_is_killed,)),
    Group("", replicated, (the_primary_is_stopped,)),
    Group("", on_a_small_disk, (the_disk_is_full,)),
    Group("older: ", of_an_older_version, (nothing, this_version_starts_beside_it)),
    Group(
        "pooled: ",
        pooled,
        (nothing, sessions_are_ended, pgbouncer_is_killed, postgresql_is_killed, postgresql_restarts),
    ),
    Group("pooled, 15 s: ", pooled_as_it_comes, (postgresql_restarts,)),
)
