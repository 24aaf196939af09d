"""What is known of a request while it runs, and when it is answered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from operator import attrgetter, mul, sub
from random import Random
from time import monotonic, time
from typing import Any, Literal, Self

# The path of a request that runs statements.
QUERY = "/query"
# Where the record stands in the environment of a request.
RECORD = "postgate.record"
# Where the server may have put what it knows before the request runs: the beginning of its token, whose it is.
TOKEN_PREFIX, DATABASE_ID = "postgate.token_prefix", "postgate.database_id"
# What a client may call its request: it stands in a header, in log lines, and in PostgreSQL's log.
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
# Of an id that is made. It has to be another one each time, not a secret: the system's random numbers would have each
# request let go of the interpreter once more. What others do with the numbers of the process leaves these alone.
_MADE_BITS = 96
_numbers = Random()  # noqa: S311
# A forked process would go on with its parent's.
os.register_at_fork(after_in_child=_numbers.seed)
# Characters of a path and of a header of the client that are kept.
_MAX_PATH = 500
_MAX_HEADER = 200
_MOST_FINGERPRINTS = 20
# The limit that an error tells of.
_LIMITS = {
    "ROW_LIMIT_EXCEEDED": "rows",
    "RESULT_TOO_LARGE": "result",
    "BODY_TOO_LARGE": "body",
    "RATE_LIMITED": "rate",
    "TIMEOUT": "time",
}
# What a request goes through; each ends where the next one begins: it waits for a thread, or a turn of its database; it
# is found out whose token it has; its body is read; it is judged; what has to be asked before the statement is asked;
# it waits for a connection; its statement runs in the database, and the result is read; its answer is made.
STAGES: tuple[str, ...] = ("queue", "look_up", "read", "verdict", "prepare", "connection", "statement", "answer")
_MOMENTS = attrgetter(*[f"{stage}_at" for stage in STAGES])
_THOUSANDS = [1000.0] * len(STAGES)


@dataclass(slots=True, eq=False)
class RequestRecord:
    """
    Attributes:
        id: the client's X-Request-ID if it is short and printable, or one that is made.
        queue_at, look_up_at ...: when (time.monotonic) it has entered each of the STAGES, of its last try if there were
            several; 0.0 for those that it has not.
        ended: when its answer was made, by the same clock; 0.0 until then.
        seconds: from when it was here whole until then; it and the next three are worked out before listeners are told.
        began: when it was here whole (time.time).
        stages, taken_ms: in the order in which it first entered them its stages, and the milliseconds of each.
        token_prefix: the beginning of the token, which is in the list of tokens too.
        statements: of each the fingerprint, as `validator.fingerprint` makes it, and its operations.
        texts: makes their texts without constants; None where nobody wants them, or there are none yet.
        rows: how many were returned or changed.
        body_bytes, answer_bytes: of the two bodies.
        outcome: ok, refused (by the service), failed (in the database), or unavailable.
        reason: as the envelope has it.
        look_up: "remembered" or "asked"; "" where it did not come to that, as in the next two.
        verdict: "remembered" or "made", of a batch if one was.
        prologue: "prepared" on the connection, or "sent".
    """

    id: str
    method: str
    path: str
    client: str
    queue_at: float
    look_up_at: float = 0.0
    read_at: float = 0.0
    verdict_at: float = 0.0
    prepare_at: float = 0.0
    connection_at: float = 0.0
    statement_at: float = 0.0
    answer_at: float = 0.0
    ended: float = 0.0
    seconds: float = 0.0
    began: float = 0.0
    stages: tuple[str, ...] = STAGES
    taken_ms: tuple[float, ...] = (0.0,) * len(STAGES)
    forwarded_for: str = ""
    traceparent: str | None = None
    tracestate: str | None = None
    token_prefix: str = ""
    database_id: str = ""
    database_name: str = ""
    statements: tuple[tuple[str, frozenset[str]], ...] = ()
    texts: Callable[[], list[str]] | None = None
    rows: int = 0
    body_bytes: int = 0
    answer_bytes: int = 0
    attempts: int = 1
    look_up: str = ""
    verdict: str = ""
    prologue: str = ""
    status: int = 0
    outcome: str = "ok"
    code: str = ""
    reason: str = ""
    sqlstate: str = ""
    _before: Sequence[tuple[str, float]] = ()

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> Self:
        """The record of a request that begins.

        Args:
            environ: of the request, as PEP 3333 has it, with `postgate.arrived` (time.monotonic) where the server
                knows it; empty for bytes that are no request.
        """
        get = environ.get
        given = get("HTTP_X_REQUEST_ID")
        record = cls(
            given if given and _REQUEST_ID.fullmatch(given) else f"{_numbers.getrandbits(_MADE_BITS):024x}",
            get("REQUEST_METHOD", ""),
            get("PATH_INFO", "")[:_MAX_PATH],
            get("REMOTE_ADDR", ""),
            get("postgate.arrived") or monotonic(),
        )
        if "HTTP_X_FORWARDED_FOR" in environ:
            record.forwarded_for = environ["HTTP_X_FORWARDED_FOR"][:_MAX_HEADER]
        if "HTTP_TRACEPARENT" in environ:
            record.traceparent, record.tracestate = environ["HTTP_TRACEPARENT"], get("HTTP_TRACESTATE")
        if DATABASE_ID in environ:
            record.token_prefix, record.database_id = environ[TOKEN_PREFIX], environ[DATABASE_ID]
        return record

    def again(self, stage: Literal["queue", "look_up"]) -> None:
        """It is tried again, from this stage on."""
        self._before = self._entered()
        for name in STAGES:
            setattr(self, f"{name}_at", 0.0)
        setattr(self, f"{stage}_at", monotonic())

    def intervals(self) -> list[tuple[str, float, float]]:
        """In their order the stages of an answered request, and from when until when it was in each; those of one that
        was tried again are there more than once."""
        entered = self._entered()
        ends = [*[moment for _, moment in entered[1:]], self.ended]
        return [(stage, moment, end) for (stage, moment), end in zip(entered, ends, strict=True)]

    def settle(self, monotonic_began: float) -> None:
        """Work out what follows from its moments, now that its answer is made.

        Args:
            monotonic_began: what time.time was when time.monotonic was 0.
        """
        moments = _MOMENTS(self)
        if self._before or 0.0 in moments:
            intervals = self.intervals()
            arrived = intervals[0][1]
            taken: dict[str, float] = {}
            for stage, begin, end in intervals:
                taken[stage] = taken.get(stage, 0.0) + (end - begin) * 1000
            self.stages, self.taken_ms = tuple(taken), tuple(taken.values())
        else:
            # Most requests by far: no step of the interpreter for each stage.
            arrived = moments[0]
            self.taken_ms = tuple(map(mul, map(sub, (*moments[1:], self.ended), moments), _THOUSANDS))
        self.seconds = self.ended - arrived
        self.began = monotonic_began + arrived

    @property
    def stages_ms(self) -> dict[str, float]:
        """The milliseconds of each stage."""
        return dict(zip(self.stages, self.taken_ms, strict=True))

    def _entered(self) -> list[tuple[str, float]]:
        moments = zip(STAGES, _MOMENTS(self), strict=True)
        return [*self._before, *[(stage, moment) for stage, moment in moments if moment]]

    def refused(self, status: int, code: str, reason: str, fields: Mapping[str, object]) -> None:
        """It is answered by an error, whose envelope has these fields."""
        self.status, self.code = status, code
        self.outcome = "failed" if code == "DATABASE_ERROR" else "unavailable" if status >= 500 else "refused"
        self.reason = str(fields.get("reason", reason))
        self.sqlstate = str(fields.get("sqlstate", ""))


def operations(statements: Iterable[tuple[str, frozenset[str]]]) -> frozenset[str]:
    """All that the statements of a record do, or would do."""
    return frozenset().union(*[operations for _, operations in statements])


def fingerprints(statements: Iterable[tuple[str, frozenset[str]]]) -> str:
    """Those of the statements of a record with commas: each once, and of a long batch the first ones."""
    different = dict.fromkeys(fingerprint for fingerprint, _ in statements)
    return ",".join(list(different)[:_MOST_FINGERPRINTS])


def monotonic_began() -> float:
    """What time.time was when time.monotonic was 0, as far as anybody can tell now."""
    return time() - monotonic()


def limit_hit(code: str, reason: str) -> str:
    """Which limit an error with this code and reason tells of: rows, result, body, statement, rate or time; "" where it
    is of none."""
    return _LIMITS.get(code) or ("statement" if reason == "limit" else "")


# Of the request that this thread works on; None in threads of our own.
current: ContextVar[RequestRecord | None] = ContextVar("postgate.request", default=None)
