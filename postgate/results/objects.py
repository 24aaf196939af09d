"""{"rows": [{column: value}, ...], "row_count": n}, or with rows as arrays; both can say what the columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from postgate.postgres.types import Type
from postgate.results import Column, Values
from postgate.results.values import NULL, SCALARS, Encode, as_it_is, encode_column, encoder_of, text

# Below this many rows a call for each value takes less than one for the column.
FEW = 8


class Objects:
    """The format of the original: each row is a JSON object."""

    names_origins = False

    def __init__(self, with_fields: bool = False, scalars: Mapping[int, Encode] = SCALARS) -> None:
        """
        Args:
            with_fields: whether the answer names the columns and their types.
            scalars: how values are encoded, by the number of their type.
        """
        self.names_types = with_fields
        self._scalars = scalars
        self._encoders: list[Encode] = []
        self._template = b""
        self._separator = b""
        self._picked: list[int] | None = None

    def begin(self, columns: Sequence[Column]) -> bytes:
        self._template = self._row_template(columns)
        self._encoders = [self._encoder(column.type) for column in columns]
        return self._head(columns)

    def rows(self, columns: Sequence[Values], count: int) -> bytes:
        separator, self._separator = self._separator, b","
        if not columns:
            return separator + b",".join([self._template] * count)
        encoded = []
        for column, encode in zip(columns, self._encoders, strict=True):
            encoded.append(_one_by_one(column, encode) if count < FEW else encode_column(column, encode))
            # A large row would be in memory once more while its text is made.
            column.clear()
        if self._picked is not None:
            encoded = [encoded[position] for position in self._picked]
        return separator + b",".join([self._template % row for row in zip(*encoded, strict=True)])

    def end(self, row_count: int, tag: bytes) -> bytes:
        return b'],"row_count":%d}' % row_count

    def _encoder(self, type_: Type) -> Encode:
        return self._scalars.get(type_.oid) or encoder_of(type_, self._scalars)

    def _head(self, columns: Sequence[Column]) -> bytes:
        if not self.names_types:
            return b'{"rows":['
        fields = [{"name": name_of(column), "type": column.type.name, "oid": column.type.oid} for column in columns]
        return b'{"fields":' + orjson.dumps(fields) + b',"rows":['

    def _row_template(self, columns: Sequence[Column]) -> bytes:
        """A row with a place for each value."""
        # Of two columns of one name the last one wins, as in every driver that makes a dictionary of a row.
        positions = {column.name: position for position, column in enumerate(columns)}
        if len(positions) < len(columns):
            self._picked = list(positions.values())
        keys = [orjson.dumps(name.decode("utf-8", "backslashreplace")).replace(b"%", b"%%") for name in positions]
        return b"{" + b",".join([key + b":%b" for key in keys]) + b"}"


class Arrays(Objects):
    """Each row is a JSON array, so that columns of one name all stand in it."""

    def __init__(self, scalars: Mapping[int, Encode] = SCALARS) -> None:
        super().__init__(with_fields=True, scalars=scalars)

    def _row_template(self, columns: Sequence[Column]) -> bytes:
        return b"[" + b",".join([b"%b"] * len(columns)) + b"]"


def name_of(column: Column) -> str:
    # Only a server whose encoding is SQL_ASCII sends anything else than UTF-8.
    return column.name.decode("utf-8", "backslashreplace")


def _one_by_one(column: Values, encode: Encode) -> list[bytes]:
    """A column of few values as JSON; the two commonest encoders cost no call for each."""
    if encode is as_it_is:
        return [NULL if value is None else value for value in column]
    if encode is text:
        try:
            return [NULL if value is None else orjson.dumps(value.decode()) for value in column]
        except UnicodeDecodeError:
            pass
    return [NULL if value is None else encode(value) for value in column]
