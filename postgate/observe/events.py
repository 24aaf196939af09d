"""What happens in the service, besides requests: a class for each kind of thing, and who is told of it.

Whoever sees it happen calls `happened`. The log, the metrics and the traces are listeners; no other module writes a
log. No field of an event has a statement's text, a parameter, a token or a connection string in it.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

REPEAT_S = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """
    Attributes:
        name: what a log line or a metric calls it.
        words: the sentence for a person, with the names of fields in braces.
        level: how much it matters, as the logging module has it.
    """

    name: ClassVar[str] = "event"
    words: ClassVar[str] = ""
    level: ClassVar[int] = logging.INFO

    def severity(self) -> int:
        return self.level


@dataclass(frozen=True, slots=True)
class Announcement(Event):
    """A step of the start, or what a person is to do next: at a terminal the words stand alone."""

    name = "announcement"
    words = "{text}"
    text: str


@dataclass(frozen=True, slots=True)
class MigrationStep(Announcement):
    name = "migration_step"


@dataclass(frozen=True, slots=True)
class StartWaits(Announcement):
    """The service cannot be made ready, and is tried again."""

    name = "start_waits"
    level = logging.WARNING


@dataclass(frozen=True, slots=True)
class StartFailed(Announcement):
    name = "start_failed"
    level = logging.CRITICAL


@dataclass(frozen=True, slots=True)
class BareServer(Announcement):
    """A server that only imports the application serves it."""

    name = "bare_server"


@dataclass(frozen=True, slots=True)
class EmbeddedStarted(Event):
    name = "embedded_started"
    words = "the embedded PostgreSQL runs"
    level = logging.DEBUG


@dataclass(frozen=True, slots=True)
class EmbeddedDied(Event):
    name = "embedded_died"
    words = "the embedded PostgreSQL has ended and is started again; see {log}"
    level = logging.WARNING
    log: str


@dataclass(frozen=True, slots=True)
class EmbeddedNotStarted(Event):
    name = "embedded_not_started"
    words = "the embedded PostgreSQL could not be started again: {reason}"
    level = logging.WARNING
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionOpened(Event):
    """
    Attributes:
        backend: "shared", or the id of the dedicated database.
    """

    name = "connection_opened"
    words = "a connection to postgate-{backend} was opened in {ms:.1f} ms"
    level = logging.DEBUG
    backend: str
    ms: float


@dataclass(frozen=True, slots=True)
class ConnectionRefused(Event):
    """
    Attributes:
        backend: as of ConnectionOpened.
        attempts: how many in a row have failed.
    """

    name = "connection_refused"
    words = "cannot connect to postgate-{backend}: {reason}"
    backend: str
    reason: str
    attempts: int

    def severity(self) -> int:
        return logging.DEBUG if self.attempts > 1 else logging.WARNING


@dataclass(frozen=True, slots=True)
class ConnectionLost(Event):
    name = "connection_lost"
    words = "a connection to postgate-{backend} was ended by the server"
    level = logging.WARNING
    backend: str


@dataclass(frozen=True, slots=True)
class ConnectionAwaited(Event):
    """A request has waited for a connection, and has one now or has given up."""

    name = "connection_awaited"
    words = "a request waited {waited_s:.3f} s for a connection to postgate-{backend}"
    level = logging.DEBUG
    backend: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class PoolFull(Event):
    """A request has waited for a connection in vain."""

    name = "pool_full"
    words = "no connection to postgate-{backend} became free within {waited_s:g} s"
    level = logging.WARNING
    backend: str
    waited_s: float


@dataclass(frozen=True, slots=True)
class StatementCancelled(Event):
    """
    Attributes:
        why: time_is_up, client_left, from_outside, or over_limit for a result that is larger than allowed.
    """

    name = "statement_cancelled"
    words = "a statement was cancelled: {why}"
    why: str


@dataclass(frozen=True, slots=True)
class StatementGoesOn(Event):
    name = "statement_goes_on"
    words = "a statement of database {database_id} goes on after its cancel in PostgreSQL's process {backend_pid}"
    level = logging.WARNING
    database_id: str
    backend_pid: int


@dataclass(frozen=True, slots=True)
class TokenLookedUp(Event):
    name = "token_looked_up"
    words = "a token of database {database_id} was looked up"
    level = logging.DEBUG
    database_id: str


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    """A token that this process knew opens nothing any more: it was deleted, or has expired."""

    name = "token_revoked"
    words = "a token of database {database_id} is no longer valid"
    database_id: str


@dataclass(frozen=True, slots=True)
class NotWritten(Event):
    """Something that is written beside the requests could not be."""

    name = "not_written"
    words = "{what} could not be written: {reason}"
    level = logging.WARNING
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class NotClearedAway(Event):
    name = "not_cleared_away"
    words = "a deleted database could not be cleared away: {reason}"
    level = logging.WARNING
    reason: str


@dataclass(frozen=True, slots=True)
class NoClientAccepted(Event):
    name = "no_client_accepted"
    words = "no client can be accepted: {reason}"
    level = logging.WARNING
    reason: str


@dataclass(frozen=True, slots=True)
class FewDescriptors(Event):
    name = "few_descriptors"
    words = "the system allows {allowed} open files: lower POSTGATE_CONNECTIONS, or raise `ulimit -n`"
    level = logging.WARNING
    allowed: int


@dataclass(frozen=True, slots=True)
class TracesOff(Event):
    name = "traces_off"
    words = "the OTEL_ variables ask for traces, but there are none: {reason}"
    level = logging.WARNING
    reason: str


@dataclass(frozen=True, slots=True)
class RecordsDropped(Event):
    """Whoever reads the log is slower than requests come."""

    name = "records_dropped"
    words = "{count} requests are missing in the log and in the metrics: what reads them is too slow"
    level = logging.WARNING
    count: int


@dataclass(frozen=True, slots=True)
class UnexpectedFailure(Event):
    """Where something failed that nobody expected; not its message, which can quote a tenant's data."""

    name = "unexpected_failure"
    words = "{error}"
    level = logging.ERROR
    error: str
    frames: str

    @classmethod
    def of(cls, error: BaseException) -> UnexpectedFailure:
        return cls(type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))


_listeners: list[Callable[[Event], None]] = []


def listen(listener: Callable[[Event], None]) -> None:
    """Have a listener told of every event from now on, in the thread in which it happens; it raises nothing."""
    _listeners.append(listener)


def unlisten(listener: Callable[[Event], None]) -> None:
    if listener in _listeners:
        _listeners.remove(listener)


def happened(event: Event) -> None:
    for listener in _listeners:
        listener(event)


def sparing(report: Callable[[str], None]) -> Callable[[str], None]:
    """A way to say the same line as often as it is true, which passes it on once a minute."""
    said: dict[str, float] = {}

    def say(line: str) -> None:
        now = time.monotonic()
        if now - said.get(line, -REPEAT_S) < REPEAT_S:
            return
        said[line] = now
        report(line)

    return say
