"""The rows of one statement as they arrive: counted, checked against the limits and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from postgate.errors import ResultTooLarge, RowLimitExceeded
from postgate.postgres.types import BUILT_IN, Type
from postgate.results import MOST_REMEMBERED, REMEMBERED, Column, Format, Origin

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult


# Bytes.
LARGE = 1_000_000
# Of a smaller result nobody asks how much memory there is.
UNHELD = 64 * 1024
_CONTROL = bytes(range(0x20))


class ResultLimits:
    """How much the statements of a request may give together, and how much they have given so far."""

    def __init__(self, rows: int, size: int, hold: Callable[[int], None]) -> None:
        """
        Args:
            size: bytes.
            hold: takes how many bytes the request needs at least, and raises Unavailable where there are none.
        """
        self.rows = rows
        self.bytes = size
        self._hold = hold
        self._held_bytes = UNHELD
        self._given_rows = 0
        self._given_bytes = 0

    def give_rows(self, count: int) -> None:
        """
        Raises:
            RowLimitExceeded: they are too many.
        """
        self._given_rows += count
        if self._given_rows > self.rows:
            raise RowLimitExceeded(self.rows)

    def give_bytes(self, size: int) -> None:
        """Take note of so many more; a negative size gives back what was counted.

        Raises:
            ResultTooLarge: they are too many.
            Unavailable: there is no memory for them.
        """
        self._given_bytes += size
        if self._given_bytes > self.bytes:
            raise ResultTooLarge(self.bytes)
        if self._given_bytes > self._held_bytes:
            # All that it may become, so that it never waits with much of it in hand.
            self._hold_at_least(LARGE if self._given_bytes <= LARGE else self.bytes)

    def arrive(self, size: int) -> None:
        """Take note that so much of a chunk has come, of which libpq has a copy and we make others.

        Raises:
            ResultTooLarge, Unavailable: as of `give_bytes`.
        """
        if size > self.bytes:
            raise ResultTooLarge(self.bytes)
        if size > LARGE:
            self._hold_at_least(min(2 * self.bytes, self.bytes + 2 * size))

    def _hold_at_least(self, size: int) -> None:
        if size > self._held_bytes:
            self._hold(size)
            self._held_bytes = size

    def require_bytes(self, size: int) -> None:
        """Refuse what would be too much, before it is made."""
        if self._given_bytes + size > self.bytes:
            raise ResultTooLarge(self.bytes)

    def require_row(self, size: int) -> None:
        """Refuse a row that is too large: libpq has it twice before we do."""
        if size > self.bytes // 2:
            raise ResultTooLarge(self.bytes // 2, "row")


class Rows:
    """Takes results until one is over a limit.

    Results with a type that is not known yet are kept, and written by `end` when somebody has looked the types up.

    Attributes:
        chunks: what the format has made of the result, whole after `end`.
        count: the rows that came, or that were changed.
    """

    # How each result begins.
    count = 0
    _kept_bytes = 0
    _oids: tuple[int, ...] | None = None
    _names: tuple[bytes | None, ...] = ()
    _origins: Sequence[Origin] = ()
    _tag = b""
    _is_writing = _has_large = False

    def __init__(self, answer: Format, learned: Mapping[int, Type], limits: ResultLimits) -> None:
        """
        Args:
            learned: the types of the connection that are not built in, as far as they have been looked up.
        """
        self._answer = answer
        self._learned = learned
        self._limits = limits
        self._kept: list[PGresult] = []
        self.chunks: list[bytes] = []

    def add(self, result: PGresult, size: int = 0) -> None:
        """Take a chunk of rows, or the tag of a command that has none.

        Args:
            size: its bytes, 0 for few; from LARGE on each copy of it counts, and the result is cleared.

        Raises:
            RowLimitExceeded, ResultTooLarge: this chunk is over the limit.
        """
        # Of a result in chunks either the last one has the tag, or an empty one that comes after it.
        self._tag = result.command_status or self._tag
        if not result.nfields and not result.ntuples:
            self.count += result.command_tuples or 0
            return
        if self._oids is None:
            self._oids = self._describe(result)
        if not result.ntuples:
            return
        self.count += result.ntuples
        self._limits.give_rows(result.ntuples)
        self._has_large |= size > LARGE
        if self._is_writing and size > LARGE:
            self._write_rows(result, size)
        elif self._is_writing:
            self._write(_columns(result), result.ntuples)
        else:
            self._kept.append(result)
            self._keep(_size(_columns(result)))

    @property
    def unknown_types(self) -> Sequence[int]:
        """The types to look up before `end`; none where no row came, unless the format names them."""
        if self._kept or (self._answer.names_types and not self._is_writing):
            return self._oids or ()
        return ()

    def write_kept(self) -> None:
        """Write what waits for types that were not known."""
        if not self._is_writing:
            self._keep(-self._kept_bytes)
            oids = self._oids or ()
            self._begin(oids, self._types(oids))
            for result in self._kept:
                if self._has_large:
                    self._write_rows(result, 0)
                else:
                    self._write(_columns(result), result.ntuples)
            self._kept.clear()

    def end(self) -> None:
        """Write what is left."""
        self.write_kept()
        self.chunks.append(self._answer.end(self.count, self._tag))

    def _describe(self, result: PGresult) -> tuple[int, ...]:
        fields = range(result.nfields)
        self._names = tuple(map(result.fname, fields))
        oids = tuple(map(result.ftype, fields))
        if self._answer.names_origins:
            self._origins = [
                Origin(result.ftable(field), result.ftablecol(field), result.fsize(field), result.fmod(field))
                for field in fields
            ]
        elif len(oids) <= MOST_REMEMBERED and (columns := _built_in(self._names, oids)) is not None:
            self._write_head(columns)
            return oids
        types = self._types(oids)
        if None not in types or not self._answer.reads_types:
            self._begin(oids, types)
        return oids

    def _types(self, oids: Iterable[int]) -> list[Type | None]:
        return [BUILT_IN.get(oid) or self._learned.get(oid) for oid in oids]

    def _begin(self, oids: Iterable[int], types: list[Type | None]) -> None:
        named = zip(self._names, oids, types, strict=True)
        columns = [Column(name or b"", type_ or Type(oid)) for name, oid, type_ in named]
        if self._origins:
            columns = [Column(*column[:2], origin) for column, origin in zip(columns, self._origins, strict=True)]
        self._write_head(tuple(columns))

    def _write_head(self, columns: tuple[Column, ...]) -> None:
        self._is_writing = True
        self.chunks.append(self._answer.begin(columns))

    def _write_rows(self, result: PGresult, size: int) -> None:
        """A large chunk, a row at a time: a row is in memory up to four times while it is written."""
        if result.ntuples == 1:
            self._limits.require_row(size)
        fields, last = range(result.nfields), result.ntuples - 1
        for row in range(result.ntuples):
            columns = [[result.get_value(row, field)] for field in fields]
            if row == last:
                result.clear()
            self._limits.require_row(sum(_written_size(value) for (value,) in columns if value))
            # Before it is encoded, which takes the same memory again: no format makes much less of it than its text.
            self._limits.require_bytes(_size(columns))
            self._write(columns, 1)

    def _write(self, columns: list[list[bytes | None]], count: int) -> None:
        chunk = self._answer.rows(columns, count)
        self._limits.give_bytes(len(chunk))
        self.chunks.append(chunk)

    def _keep(self, size: int) -> None:
        self._kept_bytes += size
        self._limits.give_bytes(size)


# The types have these numbers on every server, so nothing makes it stale.
@lru_cache(REMEMBERED)
def _built_in(names: tuple[bytes | None, ...], oids: tuple[int, ...]) -> tuple[Column, ...] | None:
    """The columns of these names and types, if all types are built in."""
    types = [BUILT_IN.get(oid) for oid in oids]
    columns = [Column(name or b"", type_) for name, type_ in zip(names, types, strict=True) if type_ is not None]
    return tuple(columns) if len(columns) == len(oids) else None


def _written_size(value: bytes) -> int:
    """About what JSON makes of it: a control character is six, and of an array each element may get quotes."""
    size = len(value) + 5 * (len(value) - len(value.translate(None, _CONTROL)))
    return 2 * size if value[:1] == b"{" else size


def _size(columns: list[list[bytes | None]]) -> int:
    return sum(len(value) for column in columns for value in column if value)


def _columns(result: PGresult) -> list[list[bytes | None]]:
    get, count = result.get_value, result.ntuples
    if count == 1:
        return [[get(0, column)] for column in range(result.nfields)]
    rows = range(count)
    return [[get(row, column) for row in rows] for column in range(result.nfields)]
