"""Requests that were answered in one moment: most of them have all in common but amounts, which are added up once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from postgate.observe.requests import RequestRecord

_WARNED_CODES = frozenset({"UNAVAILABLE", "TIMEOUT"})


class Kind(NamedTuple):
    """What many requests have in common, as the attributes of a record of these names."""

    method: str
    path: str
    status: int
    outcome: str
    code: str
    reason: str
    sqlstate: str
    token_prefix: str
    database_id: str
    database_name: str
    statements: tuple[tuple[str, frozenset[str]], ...]
    attempts: int
    look_up: str
    verdict: str
    prologue: str
    stages: tuple[str, ...]

    def severity(self, is_slow: bool) -> int:
        """How much such a request matters, as the logging module has it."""
        if self.code == "INTERNAL_ERROR":
            return logging.ERROR
        if self.code in _WARNED_CODES or is_slow:
            return logging.WARNING
        # A balancer asks every second.
        return logging.DEBUG if self.path == "/health" and not self.code else logging.INFO


# Records are compared by a tuple of these: to make a Kind of each takes five times as long.
_IN_COMMON = attrgetter(*Kind.__annotations__)
_AMOUNTS = attrgetter("seconds", "rows", "body_bytes", "answer_bytes", "taken_ms")


@dataclass(slots=True, eq=False)
class Alike:
    """Requests of one kind.

    Attributes:
        seconds: of each, as in a record.
        rows, body_bytes, answer_bytes: of all.
        stages_ms: of all, by the stage.
    """

    kind: Kind
    records: list[RequestRecord] = field(default_factory=list)
    seconds: Sequence[float] = ()
    rows: int = 0
    body_bytes: int = 0
    answer_bytes: int = 0
    stages_ms: Mapping[str, float] = field(default_factory=dict)

    def add_up(self) -> None:
        """Work out the amounts, now that all records are here."""
        self.seconds, *amounts, taken_ms = zip(*map(_AMOUNTS, self.records), strict=True)
        self.rows, self.body_bytes, self.answer_bytes = map(sum, amounts)
        self.stages_ms = dict(zip(self.kind.stages, map(sum, zip(*taken_ms, strict=True)), strict=True))


class Answered(NamedTuple):
    """
    Attributes:
        records: in the order in which they were answered.
        of_each: of each of these, those that it is among.
        alike: all of them once.
    """

    records: Sequence[RequestRecord]
    of_each: Sequence[Alike]
    alike: Sequence[Alike]


def answered_together(records: Sequence[RequestRecord]) -> Answered:
    """Find out which of some settled records are alike."""
    found: dict[tuple[object, ...], Alike] = {}
    of_each = []
    for record in records:
        common = _IN_COMMON(record)
        alike = found.get(common)
        if alike is None:
            alike = found[common] = Alike(Kind(*common))
        alike.records.append(record)
        of_each.append(alike)
    for alike in found.values():
        alike.add_up()
    return Answered(records, of_each, [*found.values()])
