"""What the service says of itself, to the tests in its process."""

from collections.abc import Iterator
from contextlib import contextmanager

from postgate.observe import events, requests
from postgate.observe.events import Event
from postgate.observe.log import Log
from postgate.observe.metrics import Tally
from postgate.observe.requests import RequestRecord


@contextmanager
def heard_events() -> Iterator[list[Event]]:
    """The events that happen meanwhile."""
    heard: list[Event] = []
    events.listen(heard.append)
    try:
        yield heard
    finally:
        events.unlisten(heard.append)


@contextmanager
def answered_requests() -> Iterator[list[RequestRecord]]:
    """The requests that are answered meanwhile; all of them when the body has ended, or has called `tell_now`."""
    records: list[RequestRecord] = []
    requests.tell_now()
    requests.listen(records.extend)
    try:
        yield records
        requests.tell_now()
    finally:
        requests.unlisten(records.extend)


@contextmanager
def log_lines(
    level: str = "debug", as_json: bool = True, slow_ms: float = 1e9, statements: str = "none"
) -> Iterator[list[str]]:
    """The lines of the log meanwhile; all of them when the body has ended, or has called `tell_now`."""
    lines: list[str] = []
    log = Log(level, as_json, slow_ms, statements, lambda block: lines.extend(block.decode().splitlines()))
    requests.tell_now()
    events.listen(log.heard)
    requests.listen(log.answered)
    try:
        yield lines
        requests.tell_now()
    finally:
        events.unlisten(log.heard)
        requests.unlisten(log.answered)


@contextmanager
def counted(slow_s: float = 1e9, by_database: bool = False) -> Iterator[Tally]:
    """What is counted meanwhile."""
    tally = Tally(slow_s, by_database)
    requests.tell_now()
    events.listen(tally.heard)
    requests.listen(tally.answered)
    try:
        yield tally
        requests.tell_now()
    finally:
        events.unlisten(tally.heard)
        requests.unlisten(tally.answered)
