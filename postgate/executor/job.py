"""What is asked for, and for whom and where it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from postgate.postgres.pipeline import Command

if TYPE_CHECKING:
    from postgate.access.registry import Access
    from postgate.postgres.connection import Backend
    from postgate.results import Format
    from postgate.validator.facts import Facts


# What PostgreSQL keeps of application_name (manual, "Error Reporting and Logging"), and what of it a request's id has.
_NAME_BYTES, _ID_BYTES = 63, 36


class Number(str):
    """A JSON number as its digits."""

    __slots__ = ()

    @property
    def is_integer(self) -> bool:
        return self.lstrip("-").isdigit()


@dataclass(slots=True)
class Statement:
    """One SQL text and the values of its placeholders, as JSON gives them (numbers as `Number`)."""

    sql: str
    params: list[Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Characteristics:
    """How a transaction runs, and whether it is only tried.

    Attributes:
        modes: its transaction modes (manual, "SET TRANSACTION"), such as READ ONLY; none for the server's own.
        dry_run: everything runs, deferred constraints included, and is rolled back.
    """

    modes: tuple[str, ...] = ()
    dry_run: bool = False

    @classmethod
    def of(cls, isolation: str, read_only: bool, deferrable: bool, dry_run: bool = False) -> Characteristics:
        """
        Args:
            isolation: the level in SQL's words, such as READ COMMITTED; "" for the server's.
        """
        modes = (f"ISOLATION LEVEL {isolation}" if isolation else "", "READ ONLY" if read_only else "")
        return cls(tuple(filter(None, (*modes, "DEFERRABLE" if deferrable else ""))), dry_run)


@dataclass(slots=True)
class Request:
    """What a client asks for: statements that run in one transaction. What it asks besides becomes a field here.

    Attributes:
        new_format: makes the format of one statement's result.
        is_batch: the answer is a list of results, and an error tells which statement it is of.
        on_result: takes how many statements have run, each time that one has.
        body_bytes: how large its body was.
        is_detached: it goes on when the client has gone.
    """

    statements: tuple[Statement, ...]
    new_format: Callable[[], Format]
    is_batch: bool = False
    characteristics: Characteristics = Characteristics()
    on_result: Callable[[int], None] | None = None
    is_detached: bool = False
    body_bytes: int = 0

    def index(self, number: int | None) -> int | None:
        """What an error says of the statement that it is of: its number in a batch, else nothing."""
        return number if self.is_batch else None


@dataclass(slots=True)
class Step:
    """A statement and what the validator says of it.

    Attributes:
        follows_definition: a statement before it in the transaction changes what there is, so that what its names mean
            can be told only there.
    """

    statement: Statement
    facts: Facts
    follows_definition: bool = False


class Prologue(NamedTuple):
    """The first command of a transaction, and the time that it leaves to what follows.

    Attributes:
        parameters: of the command, but for the last one, which is what PostgreSQL's log and pg_stat_activity call the
            transaction.
        name: how that begins, in ASCII; the request's id follows.
    """

    sql: bytes
    parameters: list[bytes]
    types: list[int]
    limit_ms: int
    name: str

    def command(self, request_id: str) -> Command:
        """The command for a transaction of this request."""
        name = f"{self.name} {request_id}"
        if len(name) > _NAME_BYTES:
            own = request_id[:_ID_BYTES]
            name = f"{self.name[: _NAME_BYTES - 1 - len(own)]} {own}"
        return Command(self.sql, [*self.parameters, name.encode()], self.types)


@dataclass(slots=True)
class Job:
    """Judged statements, and for whom and where they run.

    Attributes:
        prologue: what opens the transaction for the first of them.
        request_id: a part of the transaction's application_name.
        repeatable: running them twice is no different from once.
        client: the descriptor of the socket of the client who waits for the answer; None where the statements go on
            without one.
    """

    access: Access
    backend: Backend
    prologue: Prologue
    request_id: str
    request: Request
    steps: Sequence[Step]
    repeatable: bool
    client: int | None
