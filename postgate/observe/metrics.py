"""The metrics: counted in each worker, put together in the master, told in Prometheus' format.

A worker sends what it has counted since the last time, each second, so that nothing is lost or counted twice when it is
replaced. What METRICS does not name does not exist, and no label has values that a client chooses.
"""

from __future__ import annotations

import heapq
import os
import platform
import socket
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from postgate.observe import events
from postgate.observe.alike import Alike, Answered
from postgate.observe.events import Event
from postgate.observe.requests import QUERY, limit_hit

# Seconds, from a point read to the longest statement that the defaults allow.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SEND_S = 1.0
# A worker that has said nothing for so long is gone, and its gauges with it.
_STALE_S = 10.0
# Databases that have series of their own; more are counted, so that the busiest are known.
_BUSIEST, _MOST_SERIES = 100, 100_000
# Samples in one message to the master: a datagram has some hundred kilobytes.
_MESSAGE_SAMPLES = 400
_MESSAGE_BYTES = 1024 * 1024


class Definition(NamedTuple):
    """
    Attributes:
        kind: counter, gauge, histogram, or summary for a histogram without buckets.
    """

    kind: str
    words: str
    labels: tuple[str, ...] = ()


METRICS: Mapping[str, Definition] = {
    "postgate_requests": Definition("counter", "Answered requests; code is OK or an error's", ("endpoint", "code")),
    "postgate_refused": Definition("counter", "Requests that the service has refused", ("reason",)),
    "postgate_limits": Definition("counter", "Requests that have hit a limit", ("limit",)),
    "postgate_slow_requests": Definition("counter", "Requests that took POSTGATE_SLOW_MS or longer"),
    "postgate_request_seconds": Definition("histogram", "From when a query was here whole until its answer was made"),
    "postgate_stage_seconds": Definition("summary", "Time of each stage of a query", ("stage",)),
    "postgate_rows": Definition("counter", "Rows returned or changed"),
    "postgate_request_bytes": Definition("counter", "Bytes of the bodies of queries"),
    "postgate_response_bytes": Definition("counter", "Bytes of the bodies of answers"),
    "postgate_attempts": Definition(
        "counter", "Attempts to run a query; more than queries where some were tried again"
    ),
    "postgate_look_ups": Definition("counter", "Look-ups of tokens, and whether they were remembered", ("result",)),
    "postgate_verdicts": Definition("counter", "Verdicts on statements, and whether they were remembered", ("result",)),
    "postgate_prologues": Definition(
        "counter", "Transactions, and whether what opens them was prepared on their connection", ("result",)
    ),
    "postgate_cancelled_statements": Definition("counter", "Statements that were cancelled", ("why",)),
    "postgate_endless_statements": Definition("counter", "Statements that went on after their cancel"),
    "postgate_connections": Definition("counter", "What became of connections to PostgreSQL", ("backend", "event")),
    "postgate_pool_limit": Definition("gauge", "Connections that the pools may have", ("backend",)),
    "postgate_pool_open": Definition("gauge", "Connections that are open", ("backend",)),
    "postgate_pool_free": Definition("gauge", "Connections that are open and not in use", ("backend",)),
    "postgate_pool_waiting": Definition("gauge", "Requests that wait for a connection", ("backend",)),
    "postgate_pool_wait_seconds": Definition(
        "counter", "Time that requests have waited for a connection", ("backend",)
    ),
    "postgate_pool_full": Definition("counter", "Requests that have waited for a connection in vain", ("backend",)),
    "postgate_clients": Definition("gauge", "Connected clients"),
    "postgate_workers": Definition("gauge", "Worker processes"),
    "postgate_tokens_revoked": Definition("counter", "Tokens in use that were deleted, or have expired"),
    "postgate_failures": Definition("counter", "Failures that nobody expected; the log says where"),
    "postgate_records_dropped": Definition("counter", "Requests that are missing in the log and in the metrics"),
    "postgate_embedded_restarts": Definition("counter", "Times that the embedded PostgreSQL was started again"),
    "postgate_database_up": Definition("gauge", "1 if the shared database answers"),
    "postgate_database_requests": Definition("counter", "Queries of the busiest databases", ("database",)),
    "postgate_database_rows": Definition("counter", "Rows of the busiest databases", ("database",)),
    "postgate_database_bytes": Definition("counter", "Bytes of requests and answers of the busiest", ("database",)),
    "postgate_database_seconds": Definition("counter", "Time in PostgreSQL of the busiest databases", ("database",)),
}
_BY_REQUESTS = "postgate_database_requests"
_OF_DATABASES = frozenset(name for name, definition in METRICS.items() if definition.labels == ("database",))
_ENDPOINTS = {QUERY: "query", "/health": "health"}

Key = tuple[str, tuple[str, ...]]
_FROM_THE_BEGINNING: Mapping[tuple[str, ...], dict[tuple[str, ...], float]] = {
    (): {(): 0.0},
    ("backend",): {("shared",): 0.0},
}


class Tally:
    """What a process has counted.

    Attributes:
        counters: by name and labels.
        histograms: the same, with a count for each bucket and one for what is above, and the sum; of a summary the
            count and the sum.
    """

    def __init__(self, slow_s: float, by_database: bool) -> None:
        self._slow_s = slow_s
        self._by_database = by_database
        self._lock = threading.Lock()
        self.counters: dict[Key, float] = {}
        self.histograms: dict[Key, list[float]] = {}

    def add(self, name: str, *labels: str, count: float = 1) -> None:
        key = (name, labels)
        self.counters[key] = self.counters.get(key, 0) + count

    def heard(self, event: Event) -> None:
        """A listener for events."""
        counted = _COUNTED.get(type(event))
        if counted is not None:
            name, labels, count = counted(event)
            with self._lock:
                self.add(name, *labels, count=count)

    def answered(self, told: Answered) -> None:
        """A listener for requests."""
        with self._lock:
            for alike in told.alike:
                self._add_alike(alike)

    def take(self) -> tuple[dict[Key, float], dict[Key, list[float]]]:
        """What was counted since the last time."""
        with self._lock:
            taken = self.counters, self.histograms
            self.counters, self.histograms = {}, {}
        return taken

    def merge(self, counters: Mapping[Key, float], histograms: Mapping[Key, Sequence[float]]) -> None:
        """Add what another process has counted, or what could not be sent."""
        with self._lock:
            for key, count in counters.items():
                self.counters[key] = self.counters.get(key, 0) + count
            for key, counts in histograms.items():
                known = self.histograms.get(key)
                self.histograms[key] = (
                    list(counts) if known is None else [a + b for a, b in zip(known, counts, strict=True)]
                )

    def copy(self) -> tuple[dict[Key, float], dict[Key, list[float]]]:
        with self._lock:
            return dict(self.counters), {key: list(counts) for key, counts in self.histograms.items()}

    def keep_the_busiest(self, most: int) -> None:
        """Forget the databases but for so many; one that comes back begins anew, as after a restart."""
        with self._lock:
            self.counters = _of_the_busiest(self.counters, most)

    def _add_alike(self, alike: Alike) -> None:
        add, kind, count = self.add, alike.kind, len(alike.records)
        add("postgate_requests", _ENDPOINTS.get(kind.path, "other"), kind.code or "OK", count=count)
        if kind.outcome == "refused":
            add("postgate_refused", kind.reason or kind.code.lower(), count=count)
        if limit := limit_hit(kind.code, kind.reason):
            add("postgate_limits", limit, count=count)
        if kind.path != QUERY:
            return
        add("postgate_slow_requests", count=sum(seconds >= self._slow_s for seconds in alike.seconds))
        add("postgate_rows", count=alike.rows)
        add("postgate_request_bytes", count=alike.body_bytes)
        add("postgate_response_bytes", count=alike.answer_bytes)
        add("postgate_attempts", count=count * kind.attempts)
        for name, result in (
            ("postgate_look_ups", kind.look_up),
            ("postgate_verdicts", kind.verdict),
            ("postgate_prologues", kind.prologue),
        ):
            if result:
                add(name, result, count=count)
        self._observe(("postgate_request_seconds", ()), alike.seconds)
        for stage, taken_ms in alike.stages_ms.items():
            summary = self.histograms.setdefault(("postgate_stage_seconds", (stage,)), [0.0, 0.0])
            summary[0] += count
            summary[1] += taken_ms / 1000
        if self._by_database and kind.database_id:
            add(_BY_REQUESTS, kind.database_id, count=count)
            add("postgate_database_rows", kind.database_id, count=alike.rows)
            add("postgate_database_bytes", kind.database_id, count=alike.body_bytes + alike.answer_bytes)
            add("postgate_database_seconds", kind.database_id, count=alike.stages_ms.get("statement", 0.0) / 1000)

    def _observe(self, key: Key, seconds: Sequence[float]) -> None:
        counts = self.histograms.get(key)
        if counts is None:
            counts = self.histograms[key] = [0.0] * (len(BUCKETS) + 2)
        # Sorted, those of one bucket stand together.
        in_order, before = sorted(seconds), 0
        for bucket, bound in enumerate(BUCKETS):
            if before == len(in_order):
                break
            position = bisect_right(in_order, bound, before)
            counts[bucket] += position - before
            before = position
        counts[len(BUCKETS)] += len(in_order) - before
        counts[-1] += sum(in_order)


Counted = tuple[str, tuple[str, ...], float]


def backend_kind(backend: str) -> str:
    """The label of a backend, as an event has it: of dedicated databases there may be any number."""
    return backend if backend == "shared" else "dedicated"


_COUNTED: Mapping[type[Event], Callable[..., Counted]] = {
    events.ConnectionOpened: lambda e: ("postgate_connections", (backend_kind(e.backend), "opened"), 1),
    events.ConnectionRefused: lambda e: ("postgate_connections", (backend_kind(e.backend), "refused"), 1),
    events.ConnectionLost: lambda e: ("postgate_connections", (backend_kind(e.backend), "lost"), 1),
    events.ConnectionAwaited: lambda e: ("postgate_pool_wait_seconds", (backend_kind(e.backend),), e.waited_s),
    events.PoolFull: lambda e: ("postgate_pool_full", (backend_kind(e.backend),), 1),
    events.StatementCancelled: lambda e: ("postgate_cancelled_statements", (e.why,), 1),
    events.StatementGoesOn: lambda e: ("postgate_endless_statements", (), 1),
    events.TokenRevoked: lambda e: ("postgate_tokens_revoked", (), 1),
    events.UnexpectedFailure: lambda e: ("postgate_failures", (), 1),
    events.RecordsDropped: lambda e: ("postgate_records_dropped", (), e.count),
    events.EmbeddedStarted: lambda e: ("postgate_embedded_restarts", (), 1),
}
# What a worker has at a moment: by the name of a gauge and its labels.
Gauges = Mapping[Key, float]


class Sender:
    """Sends what a worker counts to the master, in a thread of its own."""

    def __init__(self, tally: Tally, to: socket.socket, gauges: Callable[[], Gauges]) -> None:
        """
        Args:
            to: a datagram socket that does not block.
            gauges: asked each time.
        """
        self._tally = tally
        self._to = to
        self._gauges = gauges

    def start(self) -> None:
        threading.Thread(target=self._run, name="postgate-metrics", daemon=True).start()

    def send(self, ends: bool = False) -> None:
        """Send now.

        Args:
            ends: the worker has no more requests.
        """
        counters, histograms = self._tally.take()
        gauges = {} if ends else self._gauges()
        parts: list[list[object]] = [[name, labels, value] for (name, labels), value in counters.items()]
        parts += [[name, labels, values] for (name, labels), values in histograms.items()]
        for start in range(0, len(parts), _MESSAGE_SAMPLES):
            if not self._pass_on({"samples": parts[start : start + _MESSAGE_SAMPLES]}):
                # The master has no time at the moment: the rest goes with the next ones.
                self._tally.merge(*_read(parts[start:]))
                return
        self._pass_on({"gauges": [[name, labels, value] for (name, labels), value in gauges.items()], "ends": ends})

    def _pass_on(self, message: dict[str, object]) -> bool:
        try:
            self._to.send(orjson.dumps(message | {"pid": os.getpid()}))
        except OSError:
            return False
        return True

    def _run(self) -> None:
        while True:
            time.sleep(SEND_S)
            self.send()


def _read(samples: Sequence[Sequence[Any]]) -> tuple[dict[Key, float], dict[Key, list[float]]]:
    """Counters and histograms of a message, in which the value of a histogram is a list."""
    read = [((name, tuple(labels)), value) for name, labels, value in samples]
    counters = {key: value for key, value in read if not isinstance(value, list)}
    return counters, {key: value for key, value in read if isinstance(value, list)}


class Board(Collector):
    """What all workers have counted: for the registry of prometheus_client."""

    def __init__(self, tally: Tally, is_up: Callable[[], bool], version: str) -> None:
        """
        Args:
            tally: what the master itself counts; the workers' is added to it.
            is_up: whether the database answers, asked for each scrape.
        """
        self._tally = tally
        self._is_up = is_up
        self._version = version
        self._lock = threading.Lock()
        # By the worker's process: when it was heard of, and its gauges.
        self._workers: dict[int, tuple[float, dict[Key, float]]] = {}

    def receive(self, socket_: socket.socket) -> None:
        """Take in what the workers send, until the socket is closed."""
        while True:
            try:
                message = socket_.recv(_MESSAGE_BYTES)
            except OSError:
                return
            if message:
                with suppress(orjson.JSONDecodeError):
                    self.take_in(orjson.loads(message))

    def take_in(self, message: Mapping[str, Any]) -> None:
        pid = int(message["pid"])
        if "samples" in message:
            self._tally.merge(*_read(message["samples"]))
            if len(self._tally.counters) > _MOST_SERIES:
                self._tally.keep_the_busiest(_MOST_SERIES // 10)
            return
        with self._lock:
            if message["ends"]:
                self._workers.pop(pid, None)
            else:
                gauges = {(name, tuple(labels)): value for name, labels, value in message["gauges"]}
                self._workers[pid] = time.monotonic(), gauges

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "postgate_build", "Version of the service", {"version": self._version, "python": platform.python_version()}
        )
        gauges = self._gauges_of_all()
        counters, histograms = self._copy()
        for name, definition in METRICS.items():
            if definition.kind == "gauge":
                gauge = GaugeMetricFamily(name, definition.words, labels=definition.labels)
                for labels, value in gauges.get(name, {}).items():
                    gauge.add_metric(labels, value)
                yield gauge
            elif definition.kind == "counter":
                counter = CounterMetricFamily(name, definition.words, labels=definition.labels)
                # These are there from the beginning, so that their first increase can be seen.
                known = _FROM_THE_BEGINNING.get(definition.labels, {})
                for labels, count in (known | counters.get(name, {})).items():
                    counter.add_metric(labels, count)
                yield counter
            elif definition.kind == "summary":
                summary = SummaryMetricFamily(name, definition.words, labels=definition.labels)
                for labels, (count, total) in histograms.get(name, {}).items():
                    summary.add_metric(labels, int(count), total)
                yield summary
            else:
                histogram = HistogramMetricFamily(name, definition.words, labels=definition.labels)
                for labels, counts in histograms.get(name, {}).items():
                    histogram.add_metric(labels, list(_cumulated(counts)), counts[-1])
                yield histogram

    def _gauges_of_all(self) -> dict[str, dict[tuple[str, ...], float]]:
        now = time.monotonic()
        with self._lock:
            self._workers = {pid: seen for pid, seen in self._workers.items() if now - seen[0] < _STALE_S}
            workers = [gauges for _, gauges in self._workers.values()]
        added: dict[str, dict[tuple[str, ...], float]] = {
            "postgate_workers": {(): float(len(workers))},
            "postgate_database_up": {(): float(self._is_up())},
        }
        for worker in workers:
            for (name, labels), value in worker.items():
                of_name = added.setdefault(name, {})
                of_name[labels] = of_name.get(labels, 0.0) + value
        return added

    def _copy(
        self,
    ) -> tuple[dict[str, dict[tuple[str, ...], float]], dict[str, dict[tuple[str, ...], Sequence[float]]]]:
        counters: dict[str, dict[tuple[str, ...], float]] = {}
        histograms: dict[str, dict[tuple[str, ...], Sequence[float]]] = {}
        counted, observed = self._tally.copy()
        for (name, labels), count in _of_the_busiest(counted, _BUSIEST).items():
            counters.setdefault(name, {})[labels] = count
        for (name, labels), counts in observed.items():
            histograms.setdefault(name, {})[labels] = counts
        return counters, histograms


def _of_the_busiest(counters: dict[Key, float], most: int) -> dict[Key, float]:
    """The same without the series of databases, but for so many of them that have asked most."""
    requests = {labels: count for (name, labels), count in counters.items() if name == _BY_REQUESTS}
    if len(requests) <= most:
        return counters
    busiest = set(heapq.nlargest(most, requests, key=requests.__getitem__))
    return {
        (name, labels): count
        for (name, labels), count in counters.items()
        if name not in _OF_DATABASES or labels in busiest
    }


def _cumulated(counts: Sequence[float]) -> Iterator[tuple[str, float]]:
    """The buckets as Prometheus has them: each with all that are below."""
    total = 0.0
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=False):
        total += count
        yield bound, total
