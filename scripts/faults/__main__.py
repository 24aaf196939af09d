"""Provoke faults, and print what the others notice of each: `make faults`.

With --url only those that any client can make, on a service that runs already; without it also those of processes and
networks, on one that is started here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

# The network that can be cut is the tests' too.
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from breakages import GROUPS, QUICK, Group, Outcome, provoke
from neighbours import NEIGHBOURS
from observer import Client, Observer, Seen, observing
from sides import Service, started
from stands import Missing

SELECT = "SELECT a FROM t WHERE a = $1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--url", help="a service that runs already; without it one is started here")
    parser.add_argument("--token", help="of its administrator, for --url")
    parser.add_argument("--seconds", type=float, default=10, help="how long each fault of a neighbour lasts")
    parser.add_argument("--quick", action="store_true", help="some of those of processes and networks, a minute")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    options = parser.parse_args()
    if options.quick:
        return 0 if _breakages(QUICK, "") else 1
    if options.url:
        _neighbours(Service(options.url, options.token or ""), options.seconds, options.only)
        return 0
    if any(options.only in name for name in NEIGHBOURS):
        with started() as service:
            _neighbours(service, options.seconds, options.only)
    return 0 if _breakages(GROUPS, options.only) else 1


def _neighbours(service: Service, seconds: float, only: str) -> None:
    watcher = service.tenant().token
    client = Client(service.url, watcher)
    client.rows("CREATE TABLE t (a int PRIMARY KEY)")
    client.rows("INSERT INTO t SELECT generate_series(1, 1000)")
    print(f"{'another tenant, ms':26} {'p50':>8} {'p99':>8} {'longest':>8} {'health':>8}  answers other than 200")
    with observing(service.url, watcher, SELECT, 7) as observer:
        observer.watch(2)
        for name, fault in NEIGHBOURS.items():
            if only in name:
                _print_seen(f"before {name}", observer.watch(seconds))
                with fault(service):
                    time.sleep(1)
                    _print_seen(name, observer.watch(seconds))
                _settle(observer)


def _settle(observer: Observer) -> None:
    """Until nothing of the fault is left, or for the time of a statement."""
    for _ in range(20):
        seen = observer.watch(2)
        if not seen.failed and seen.p99_ms < 50:
            return


def _breakages(groups: Iterable[Group], only: str) -> bool:
    """Whether every write is accounted for."""
    columns = ("longest s", "recovery s", "lost", "doubled", "misreported")
    print(f"\n{'fault':36} " + " ".join(f"{column:>11}" for column in columns) + "  answers other than 200")
    is_sound = True
    numbers = count(1)
    for group in groups:
        chosen = group.chosen(only)
        if not chosen:
            continue
        try:
            with group.stand() as stand:
                stand.make_writer()
                for name, fault in chosen.items():
                    outcome = provoke(stand, fault, numbers)
                    _print_outcome(name, outcome)
                    is_sound = is_sound and outcome.is_sound
        except Missing as missing:
            print(f"{', '.join(chosen):36} left out, because this machine lacks {missing}", flush=True)
    return is_sound


def _print_seen(name: str, seen: Seen) -> None:
    answers = ", ".join(f"{times} x {answer}" for answer, times in seen.answers.items())
    times = " ".join(f"{time:8.1f}" for time in (seen.p50_ms, seen.p99_ms, seen.longest_ms, seen.health_ms))
    print(f"{name:26} {times}  {answers or 'none'} of {seen.requests}", flush=True)


def _print_outcome(name: str, outcome: Outcome) -> None:
    answers = ", ".join(f"{times} x {answer}" for answer, times in outcome.told.items())
    times = f"{outcome.longest_s:11.2f} {outcome.recovery_s:11.2f}"
    counts = f"{outcome.lost:11} {outcome.doubled:11} {outcome.misreported:11}"
    print(f"{name:36} {times} {counts}  {answers or 'none'} of {outcome.writes}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
