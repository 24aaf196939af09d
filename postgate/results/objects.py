"""{"rows": [{column: value}, ...], "row_count": n}"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from postgate.results import Column, Values
from postgate.results.values import NULL, SCALARS, Encode, as_it_is, encode_column, encoder_of, text

# Below this many rows a call for each value takes less than one for the column.
FEW = 8


class Objects:
    """The format of the original: each row is a JSON object."""

    media_type = "application/json"

    def __init__(self) -> None:
        self._encoders: list[Encode] = []
        self._template = b""
        self._separator = b""
        self._picked: list[int] | None = None

    def begin(self, columns: Sequence[Column]) -> bytes:
        # Of two columns of one name the last one wins, as in every driver that makes a dictionary of a row.
        positions = {column.name: position for position, column in enumerate(columns)}
        self._picked = list(positions.values()) if len(positions) < len(columns) else None
        keys = [orjson.dumps(name.decode("utf-8", "backslashreplace")).replace(b"%", b"%%") for name in positions]
        self._template = b"{" + b",".join([key + b":%b" for key in keys]) + b"}"
        self._encoders = [SCALARS.get(column.type.oid) or encoder_of(column.type) for column in columns]
        self._separator = b""
        return b'{"rows":['

    def rows(self, columns: Sequence[Values], count: int) -> bytes:
        separator, self._separator = self._separator, b","
        if not columns:
            return separator + b",".join([b"{}"] * count)
        encoded = []
        for column, encode in zip(columns, self._encoders, strict=True):
            encoded.append(_one_by_one(column, encode) if count < FEW else encode_column(column, encode))
            # A large row would be in memory once more while its text is made.
            column.clear()
        if self._picked is not None:
            encoded = [encoded[position] for position in self._picked]
        return separator + b",".join([self._template % row for row in zip(*encoded, strict=True)])

    def end(self, row_count: int) -> bytes:
        return b'],"row_count":%d}' % row_count


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
