"""What the service says of itself, to the tests in its process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from postgate.observe import events, telling
from postgate.observe.alike import Answered
from postgate.observe.events import Event
from postgate.observe.log import Log
from postgate.observe.metrics import Tally
from postgate.observe.requests import RequestRecord


@contextmanager
def _listening(
    heard: Callable[[Event], None] | None = None, answered: Callable[[Answered], None] | None = None
) -> Iterator[None]:
    """Have these told of what happens meanwhile, and of nothing that was before."""
    telling.tell_now()
    if heard is not None:
        events.listen(heard)
    if answered is not None:
        telling.listen(answered)
    try:
        yield
        telling.tell_now()
    finally:
        if heard is not None:
            events.unlisten(heard)
        if answered is not None:
            telling.unlisten(answered)


@contextmanager
def heard_events() -> Iterator[list[Event]]:
    """The events that happen meanwhile."""
    heard: list[Event] = []
    with _listening(heard.append):
        yield heard


@contextmanager
def answered_requests() -> Iterator[list[RequestRecord]]:
    """The requests that are answered meanwhile; all of them when the body has ended, or has called `tell_now`."""
    records: list[RequestRecord] = []
    with _listening(answered=lambda told: records.extend(told.records)):
        yield records


@contextmanager
def log_lines(
    level: str = "debug", as_json: bool = True, slow_ms: float = 1e9, statements: str = "none"
) -> Iterator[list[str]]:
    """The lines of the log meanwhile; all of them when the body has ended, or has called `tell_now`."""
    lines: list[str] = []
    log = Log(level, as_json, slow_ms, statements, lambda block: lines.extend(block.decode().splitlines()))
    with _listening(log.heard, log.answered):
        yield lines


@contextmanager
def counted(slow_s: float = 1e9, by_database: bool = False) -> Iterator[Tally]:
    """What is counted meanwhile."""
    tally = Tally(slow_s, by_database)
    with _listening(tally.heard, tally.answered):
        yield tally
