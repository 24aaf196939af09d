"""The results that Neon's serverless driver reads: PostgreSQL's text as it is, and all that it tells of the columns."""

from __future__ import annotations

import re

from postgate.results import Column
from postgate.results.json_rows import JsonRows
from postgate.results.values import SCALARS, TEXTS

# A command tag, such as INSERT 0 1, SELECT 2 or CREATE TABLE: its command, and how many rows it is about.
_TAG = re.compile(rb"([A-Z]+)(?:.* (\d+))?")


class NeonRows(JsonRows):
    """One result in the words of node-postgres, as Neon's endpoint gives it."""

    names_origins = True

    def __init__(self, as_arrays: bool, is_raw: bool) -> None:
        """
        Args:
            is_raw: whether each value is PostgreSQL's text, and the client reads it by the number of its type.
        """
        super().__init__(as_arrays, with_fields=True, scalars=TEXTS if is_raw else SCALARS)
        self.reads_types = not is_raw
        self.names_types = False

    def end(self, row_count: int, tag: bytes) -> bytes:
        match = _TAG.match(tag)
        command, count = match.groups() if match else (b"", None)
        as_array = b"true" if self._as_arrays else b"false"
        return b'],"command":"%b","rowCount":%b,"rowAsArray":%b}' % (command, count or b"null", as_array)

    def _field(self, column: Column) -> dict[str, object]:
        return {
            "name": column.text,
            "dataTypeID": column.type.oid,
            "tableID": column.origin.table,
            "columnID": column.origin.column,
            "dataTypeSize": column.origin.size,
            "dataTypeModifier": column.origin.modifier,
            "format": "text",
        }
