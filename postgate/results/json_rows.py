"""{"rows": [{column: value}, ...], "row_count": n}, or with rows as arrays; both can say what the columns are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

from postgate.results import MOST_REMEMBERED, REMEMBERED, Column, Values
from postgate.results.values import NULL, SCALARS, Encode, Scalars, as_it_is, encode_column, encoder_of, text

# Below this many rows a call for each value takes less than one for the column.
FEW = 8


class _Layout(NamedTuple):
    """How rows of certain columns are written.

    Attributes:
        template: of a row, for its encoded values.
        picked: the positions of the columns that have a place in it; None where all do.
    """

    encoders: list[Encode]
    template: bytes
    picked: list[int] | None


class JsonRows:
    """The format of the original, and the shapes that a client can ask for instead of it."""

    reads_types = True
    names_origins = False

    def __init__(self, as_arrays: bool = False, with_fields: bool = False, scalars: Scalars = SCALARS) -> None:
        """
        Args:
            as_arrays: whether each row is a JSON array, in which columns of one name all stand, and not an object.
            with_fields: whether the answer names the columns and their types.
        """
        self.names_types = self._with_fields = with_fields
        self._as_arrays = as_arrays
        self._scalars = scalars
        self._layout = _Layout([], b"", None)
        self._separator = b""

    def begin(self, columns: tuple[Column, ...]) -> bytes:
        layout_of = _layout if len(columns) <= MOST_REMEMBERED else _layout.__wrapped__
        self._layout = layout_of(columns, self._as_arrays, self._scalars)
        if not self._with_fields:
            return b'{"rows":['
        return b'{"fields":' + orjson.dumps([self._field(column) for column in columns]) + b',"rows":['

    def rows(self, columns: Sequence[Values], count: int) -> bytes:
        separator, self._separator = self._separator, b","
        encoders, template, picked = self._layout
        if not columns:
            return separator + b",".join([template] * count)
        if count == 1:
            encoded = [_only_one(column, encode) for column, encode in zip(columns, encoders, strict=True)]
            return separator + template % tuple(encoded if picked is None else [encoded[place] for place in picked])
        by_column = []
        for column, encode in zip(columns, encoders, strict=True):
            by_column.append(_one_by_one(column, encode) if count < FEW else encode_column(column, encode))
            # Many values would be in memory once more while their text is made.
            column.clear()
        if picked is not None:
            by_column = [by_column[position] for position in picked]
        return separator + b",".join([template % row for row in zip(*by_column, strict=True)])

    def end(self, row_count: int, tag: bytes) -> bytes:
        return b'],"row_count":%d}' % row_count

    def _field(self, column: Column) -> dict[str, object]:
        return {"name": column.text, "type": column.type.name, "oid": column.type.oid}


# What is made depends on what is given alone, so nothing makes it stale.
@lru_cache(REMEMBERED)
def _layout(columns: tuple[Column, ...], as_arrays: bool, scalars: Scalars) -> _Layout:
    encoders = [encoder_of(column.type, scalars) for column in columns]
    if as_arrays:
        return _Layout(encoders, b"[" + b",".join([b"%b"] * len(columns)) + b"]", None)
    # Of two columns of one name the last one wins, as in every driver that makes a dictionary of a row.
    positions = {column.name: position for position, column in enumerate(columns)}
    keys = [orjson.dumps(name.decode("utf-8", "backslashreplace")).replace(b"%", b"%%") for name in positions]
    template = b"{" + b",".join([key + b":%b" for key in keys]) + b"}"
    return _Layout(encoders, template, list(positions.values()) if len(positions) < len(columns) else None)


def _only_one(column: Values, encode: Encode) -> bytes:
    # Out of the list: a large value would be in memory once more while the text of the row is made.
    value = column.pop()
    return NULL if value is None else encode(value)


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
