"""{"rows": [{column: value}, ...], "row_count": n}, or with rows as arrays; both can say what the columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from postgate.results import Column, Values
from postgate.results.values import NULL, SCALARS, Encode, as_it_is, encode_column, encoder_of, text

# Below this many rows a call for each value takes less than one for the column.
FEW = 8


class JsonRows:
    """The format of the original, and the shapes that a client can ask for instead of it."""

    reads_types = True
    names_origins = False

    def __init__(
        self, as_arrays: bool = False, with_fields: bool = False, scalars: Mapping[int, Encode] = SCALARS
    ) -> None:
        """
        Args:
            as_arrays: whether each row is a JSON array, in which columns of one name all stand, and not an object.
            with_fields: whether the answer names the columns and their types.
            scalars: how values are encoded, by the number of their type.
        """
        self.names_types = self._with_fields = with_fields
        self._as_arrays = as_arrays
        self._scalars = scalars
        self._encoders: list[Encode] = []
        self._template = b""
        self._separator = b""
        self._picked: list[int] | None = None

    def begin(self, columns: Sequence[Column]) -> bytes:
        scalars = self._scalars
        self._encoders = [scalars.get(column.type.oid) or encoder_of(column.type, scalars) for column in columns]
        if self._as_arrays:
            self._template = b"[" + b",".join([b"%b"] * len(columns)) + b"]"
        else:
            # Of two columns of one name the last one wins, as in every driver that makes a dictionary of a row.
            positions = {column.name: position for position, column in enumerate(columns)}
            if len(positions) < len(columns):
                self._picked = list(positions.values())
            keys = [orjson.dumps(name.decode("utf-8", "backslashreplace")).replace(b"%", b"%%") for name in positions]
            self._template = b"{" + b",".join([key + b":%b" for key in keys]) + b"}"
        if not self._with_fields:
            return b'{"rows":['
        return b'{"fields":' + orjson.dumps([self._field(column) for column in columns]) + b',"rows":['

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

    def _field(self, column: Column) -> dict[str, object]:
        return {"name": column.text, "type": column.type.name, "oid": column.type.oid}


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
