"""Provoke faults, and print what the others have noticed of each."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack

from neighbours import NEIGHBOURS
from observer import Client, Observer, Seen, observing
from sides import Service, started

SELECT = "SELECT a FROM t WHERE a = $1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--url", help="a service that runs already; without it one is started here")
    parser.add_argument("--token", help="of its administrator, for --url")
    parser.add_argument("--seconds", type=float, default=8, help="how long each fault lasts")
    parser.add_argument("--only", default="", help="faults whose name has this in it")
    options = parser.parse_args()
    with ExitStack() as stack:
        service = Service(options.url, options.token or "") if options.url else stack.enter_context(started())
        return _neighbours(service, options.seconds, options.only)


def _neighbours(service: Service, seconds: float, only: str) -> int:
    watcher = service.tenant()
    client = Client(service.url, watcher)
    client.rows("CREATE TABLE t (a int PRIMARY KEY)")
    client.rows("INSERT INTO t SELECT generate_series(1, 1000)")
    print(f"{'fault':24} {'p50':>8} {'p99':>8} {'longest':>8} {'health':>8}  answers other than 200")
    with observing(service.url, watcher, SELECT, 7) as observer:
        observer.watch(2)
        for name, fault in NEIGHBOURS.items():
            if only not in name:
                continue
            _print("before", observer.watch(seconds))
            with fault(service):  # type: ignore[attr-defined]
                time.sleep(1)
                _print(name, observer.watch(seconds))
            _settle(observer)
    return 0


def _settle(observer: Observer) -> None:
    """Until nothing of the fault is left, or for the time of a statement."""
    for _ in range(20):
        seen = observer.watch(2)
        if not seen.failed and seen.p99_ms < 50:
            return


def _print(name: str, seen: Seen) -> None:
    answers = ", ".join(f"{count} x {answer}" for answer, count in seen.answers.items())
    times = " ".join(f"{time:8.1f}" for time in (seen.p50_ms, seen.p99_ms, seen.longest_ms, seen.health_ms))
    print(f"{name:24} {times}  {answers or 'none'} of {seen.requests}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
