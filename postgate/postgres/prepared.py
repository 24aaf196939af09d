"""The statements that one connection has prepared, each under a name that says what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

from postgate.remembered import Remembered

# A plan takes some 10 to 100 kB of the server's memory. Past the limit the connection is replaced by a new one.
MAX_STATEMENTS = 256
_MAX_SEEN = 2_048


class Prepared:
    """What is prepared under which name.

    A text is prepared when it comes for the second time. The name is made of the key, so that behind a pooler, where
    another client may have prepared something on the same session, one name never means two statements.

    Attributes:
        names: the name of what each key has prepared.
        is_outdated: a plan in it was made for a table as it is no more, so nobody may use this session any longer.
    """

    def __init__(self) -> None:
        self.names: dict[Hashable, bytes] = {}
        self.is_outdated = False
        self._seen: Remembered[Hashable, bool] = Remembered(_MAX_SEEN)
        self._is_enabled = True

    def new_name(self, key: Hashable) -> bytes | None:
        """A name to prepare it under now; None where that is not worth it yet, or cannot be."""
        if not self._is_enabled:
            return None
        if not self._seen.get(key):
            self._seen.put(key, True)
            return None
        return b"pg_" + hashlib.sha256(repr(key).encode()).hexdigest().encode()[:32]

    def disable(self) -> None:
        """Prepare nothing any more: a pooler gives the connection another session each time."""
        self._is_enabled = False
        self.names.clear()
