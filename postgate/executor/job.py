"""What is asked for, and for whom and where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postgate.access.registry import Access
    from postgate.postgres.connection import Backend
    from postgate.postgres.pipeline import Command
    from postgate.validator.facts import Facts


class Number(str):
    """A JSON number as its digits."""

    __slots__ = ()

    @property
    def is_integer(self) -> bool:
        return self.lstrip("-").isdigit()


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL text and the values of its placeholders, as JSON gives them (numbers as `Number`)."""

    sql: str
    params: list[Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for: statements that run in one transaction. What it asks besides becomes a field here."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A statement and what the validator says of it."""

    statement: Statement
    facts: Facts


@dataclass(frozen=True, slots=True)
class Prologue:
    """The first command of a transaction, and the time that it leaves to what follows."""

    command: Command
    limit_ms: int


@dataclass(frozen=True, slots=True)
class Job:
    """Judged statements, and for whom and where they run.

    Attributes:
        repeatable: running them twice is no different from once.
    """

    access: Access
    backend: Backend
    prologue: Prologue
    steps: Sequence[Step]
    repeatable: bool
