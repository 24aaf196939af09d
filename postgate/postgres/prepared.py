"""The statements that one connection has prepared, each under a name that says what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

# A plan takes some 10 to 100 kB of the server's memory. Past the limit the connection is replaced by a new one.
MOST_STATEMENTS = 256
MOST_SEEN = 2_048


class Prepared:
    """What is prepared under which name.

    A text is prepared when it comes for the second time. The name is made of the key, so that behind a pooler, where
    another client may have prepared something on the same session, one name never means two statements.

    Attributes:
        was_reused: whether a statement of the transaction was prepared by an earlier one.
    """

    def __init__(self) -> None:
        self.was_reused = False
        self._names: dict[Hashable, bytes] = {}
        self._seen: dict[Hashable, None] = {}
        self._enabled = True

    @property
    def is_full(self) -> bool:
        return len(self._names) > MOST_STATEMENTS

    def name(self, key: Hashable) -> bytes | None:
        """The name of what is prepared."""
        name = self._names.get(key) if self._enabled else None
        self.was_reused = self.was_reused or name is not None
        return name

    def new_name(self, key: Hashable) -> bytes | None:
        """A name to prepare it under now; None where that is not worth it yet, or cannot be."""
        if not self._enabled:
            return None
        if key not in self._seen:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen[key] = None
            return None
        return b"pg_" + hashlib.sha256(repr(key).encode()).hexdigest().encode()[:32]

    def add(self, key: Hashable, name: bytes) -> None:
        self._names[key] = name

    def disable(self) -> None:
        """Use nothing that is prepared, and prepare nothing, until `enable`."""
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True
