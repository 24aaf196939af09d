"""What each database uses, by day: counted with the requests, added to postgate_usage every few seconds."""

from __future__ import annotations

import time
from threading import Lock

from postgate.errors import PostgateError
from postgate.observe import telling
from postgate.observe.alike import Answered
from postgate.observe.events import NotWritten, happened
from postgate.postgres.errors import ConnectionLost, ServerError
from postgate.postgres.pipeline import Command
from postgate.postgres.pools import Pools
from postgate.sql_files import read_sql

PAUSE_S = 5.0
_ADD_MS = 10_000
_ADD = read_sql("access", "add_usage")
# Databases in one statement.
_TOGETHER = 1_000
# Requests, refused ones, rows, bytes, milliseconds.
_NOTHING = (0, 0, 0, 0, 0.0)


class Meter:
    """Counts what databases use. Of what could not be written nothing is lost: it is added the next time."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._lock = Lock()
        # By the database's id and the day.
        self._used: dict[tuple[str, str], tuple[float, ...]] = {}
        self._written_at = 0.0

    def start(self) -> None:
        """Count from now on."""
        telling.listen(self.answered)

    def stop(self) -> None:
        """Write what is left."""
        telling.tell_now()
        telling.unlisten(self.answered)
        self.write(pause_s=0)

    def answered(self, told: Answered) -> None:
        """A listener for requests."""
        # They were answered a moment ago: of a day that has just ended some count as the next one's.
        day = time.strftime("%Y-%m-%d", time.gmtime())
        with self._lock:
            for alike in told.alike:
                kind, count = alike.kind, len(alike.records)
                if kind.database_id:
                    refused = count if kind.outcome == "refused" else 0
                    volume = alike.body_bytes + alike.answer_bytes
                    statement_ms = alike.stages_ms.get("statement", 0.0)
                    self._add((kind.database_id, day), (count, refused, alike.rows, volume, statement_ms))

    def write(self, pause_s: float = PAUSE_S) -> None:
        """Add to the table what was counted, unless that was done less than a pause ago."""
        now = time.monotonic()
        if now - self._written_at < pause_s or not self._used:
            return
        self._written_at = now
        with self._lock:
            used, self._used = self._used, {}
        keys = sorted(used)
        for start in range(0, len(keys), _TOGETHER):
            part = keys[start : start + _TOGETHER]
            try:
                self._pools.query(self._pools.shared, _command({key: used[key] for key in part}), _ADD_MS)
            except (PostgateError, ServerError, ConnectionLost) as error:
                happened(NotWritten(f"the usage of {len(keys) - start} databases", type(error).__name__))
                # Where nobody knows whether it was committed, a bill is rather too low.
                left = keys[start + len(part) :] if isinstance(error, ConnectionLost) else keys[start:]
                with self._lock:
                    for key in left:
                        self._add(key, used[key])
                return

    def _add(self, key: tuple[str, str], amounts: tuple[float, ...]) -> None:
        known = self._used.get(key, _NOTHING)
        self._used[key] = tuple(a + b for a, b in zip(known, amounts, strict=True))


def _command(used: dict[tuple[str, str], tuple[float, ...]]) -> Command:
    columns = [*zip(*used, strict=True), *zip(*used.values(), strict=True)]
    return Command(_ADD, [("{" + ",".join(map(str, column)) + "}").encode() for column in columns])
