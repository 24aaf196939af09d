"""The rows of one statement as they arrive: counted, checked against the limits and encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postgate.errors import ParseError, ResultTooLarge, RowLimitExceeded
from postgate.postgres.catalog import Catalog
from postgate.results.objects import RowEncoder, encoder_of

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult


@dataclass(frozen=True, slots=True)
class Limits:
    rows: int
    bytes: int


class Rows:
    """Takes results until one is over a limit; `chunks` is what the encoder made of them.

    Results with a type that is not known yet are kept, and encoded by `encode_kept` when the type was looked up.
    """

    def __init__(self, backend: str, catalog: Catalog, limits: Limits) -> None:
        self._backend = backend
        self._catalog = catalog
        self._limits = limits
        self._bytes = 0
        self._kept: list[PGresult] = []
        self._encoder: RowEncoder | None = None
        self.oids: list[int] = []
        self.chunks: list[bytes] = []
        self.count = 0

    def add(self, result: PGresult) -> None:
        """Take a chunk of rows, or the tag of a command that has none.

        Raises:
            ParseError: two columns have one name.
            RowLimitExceeded, ResultTooLarge: this chunk is over the limit.
        """
        if not result.nfields and not result.ntuples:
            self.count += result.command_tuples or 0
            return
        if not self.oids:
            self._begin(result)
        self.count += result.ntuples
        if self.count > self._limits.rows:
            raise RowLimitExceeded(self._limits.rows)
        if not result.ntuples:
            return
        columns = _columns(result)
        if self._encoder is None:
            self._kept.append(result)
            self._measure(sum(len(value) for column in columns for value in column if value))
        else:
            self._encode(self._encoder, columns, result.ntuples)

    @property
    def waits_for_types(self) -> bool:
        return bool(self._kept)

    def encode_kept(self) -> None:
        """Encode what was kept, now that the catalog knows the types."""
        kept, self._kept, self._bytes = self._kept, [], 0
        encoder = self._make_encoder(kept[0])
        for result in kept:
            self._encode(encoder, _columns(result), result.ntuples)

    def _begin(self, result: PGresult) -> None:
        names = [result.fname(column) or b"" for column in range(result.nfields)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1).decode("utf-8", "replace")
            raise ParseError(f'two columns are named "{twice}"; give one of them an alias')
        self.oids = [result.ftype(column) for column in range(result.nfields)]
        if self._catalog.knows(self._backend, self.oids):
            self._encoder = self._make_encoder(result)

    def _make_encoder(self, result: PGresult) -> RowEncoder:
        names = [result.fname(column) or b"" for column in range(result.nfields)]

        encoders = [encoder_of(oid, lambda oid: self._catalog.get(self._backend, oid)) for oid in self.oids]
        return RowEncoder.of(names, encoders)

    def _encode(self, encoder: RowEncoder, columns: list[list[bytes | None]], count: int) -> None:
        chunk = b",".join(encoder.encode(columns, count))
        self._measure(len(chunk))
        self.chunks.append(chunk)

    def _measure(self, size: int) -> None:
        self._bytes += size
        if self._bytes > self._limits.bytes:
            raise ResultTooLarge(self._limits.bytes)


def _columns(result: PGresult) -> list[list[bytes | None]]:
    get, rows = result.get_value, range(result.ntuples)
    return [[get(row, column) for row in rows] for column in range(result.nfields)]
