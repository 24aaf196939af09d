"""A tenant that does nobody any harm, and what it notices.

It has a process of its own, so that who makes the faults does not slow it.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

CLIENTS = 4
# Between two requests of a client: the service has time for others.
PAUSE_S = 0.01
HEALTH_PAUSE_S = 0.05
# Longer than any time of the service's own.
SILENCE_S = 60.0


class Seen(NamedTuple):
    """What came of the requests of some seconds. Times in milliseconds; `answers` counts what was no 200."""

    requests: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    answers: Counter[str]
    health_ms: float

    @property
    def failed(self) -> int:
        return self.answers.total()


class Client:
    """One kept connection of a token."""

    def __init__(self, url: str, token: str, timeout: float = SILENCE_S) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def query(self, sql: str, *params: Any, **members: Any) -> tuple[int, Any]:
        """Status and body of the answer.

        Raises:
            OSError, http.client.HTTPException: there was none.
        """
        return self.ask("POST", "/query", json.dumps({"sql": sql, "params": params, **members}))

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """The rows of a statement that must not fail."""
        status, answer = self.query(sql, *params)
        if status != 200:
            raise RuntimeError(f"{status}: {answer}")
        return list(answer["rows"])

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._url.netloc, timeout=self._timeout)
        try:
            self._connection.request(method, path, body, {"Authorization": f"Bearer {self._token}"})
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Observer:
    """Asks for a row again and again."""

    def __init__(self, ends: Connection) -> None:
        self._end = ends

    def watch(self, seconds: float) -> Seen:
        """What is seen in so many seconds from now on."""
        self._end.send(seconds)
        return Seen(*self._end.recv())


@contextmanager
def observing(url: str, token: str, sql: str, *params: Any) -> Iterator[Observer]:
    """An observer who asks this with this token."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_observe, args=[theirs, url, token, sql, params], daemon=True)
    process.start()
    try:
        yield Observer(ours)
    finally:
        process.terminate()
        process.join()


def _observe(commands: Connection, url: str, token: str, sql: str, params: tuple[Any, ...]) -> None:
    while True:
        commands.send(tuple(_watch(url, token, sql, params, commands.recv())))


def _watch(url: str, token: str, sql: str, params: tuple[Any, ...], seconds: float) -> Seen:
    end = time.monotonic() + seconds
    latencies: list[float] = []
    health: list[float] = []
    answers: Counter[str] = Counter()

    def ask(times: list[float], pause: float, method: str, path: str, body: str | None) -> None:
        client = Client(url, token)
        while time.monotonic() < end:
            started = time.monotonic()
            try:
                status, answer = client.ask(method, path, body)
                if status != 200:
                    answers[f"{status} {answer['code']}"] += 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                answers[type(error).__name__] += 1
            times.append((time.monotonic() - started) * 1000)
            time.sleep(pause)
        client.close()

    query = json.dumps({"sql": sql, "params": params})
    threads = [threading.Thread(target=ask, args=[latencies, PAUSE_S, "POST", "/query", query]) for _ in range(CLIENTS)]
    threads.append(threading.Thread(target=ask, args=[health, HEALTH_PAUSE_S, "GET", "/health", None]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    latencies.sort()
    return Seen(
        len(latencies),
        latencies[len(latencies) // 2],
        latencies[len(latencies) * 99 // 100],
        latencies[-1],
        answers,
        max(health),
    )
