"""What is written beside the requests: when a token was last used, at most once a minute, and what databases use."""

from __future__ import annotations

import os
import time
from threading import Event, Lock, Thread

from postgate.access.deletions import finish_deletions
from postgate.access.meter import Meter
from postgate.errors import PostgateError
from postgate.observe.events import NotWritten, UnexpectedFailure, happened
from postgate.postgres.errors import ConnectionLost, ServerError
from postgate.postgres.pipeline import Command
from postgate.postgres.pools import Pools
from postgate.sql_files import read_sql

MINUTE = 60.0
PAUSE_S = 1.0
FLUSH_MS = 10_000
_NOTE_USE = read_sql("access", "note_use")


class Usage:
    """Writes which tokens were used, in a thread of its own, which also writes what the meter has counted, and clears
    away what deleted databases have left.

    Attributes:
        used: the ids of the tokens that were used since the last look at it; requests add theirs, which costs neither a
            lock nor a call of ours.
    """

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._lock = Lock()
        self._written: dict[str, float] = {}
        self._pid = 0
        self._closed = Event()
        self._meter = Meter(pools)
        self.used: set[str] = set()

    def start(self) -> None:
        """Begin to write, in this process; called again it does nothing."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                self._meter.start()
                Thread(target=self._run, name="postgate-usage", daemon=True).start()

    def flush(self) -> bool:
        """Write what was used, and say whether anything was due.

        What cannot be written now is lost: it is noted again when the token is used again.
        """
        # A request that adds to the old set after this is lost too, until the token's next one.
        used, self.used = self.used, set()
        now = time.monotonic()
        self._written = {token: at for token, at in self._written.items() if at > now - MINUTE}
        due = sorted(used - self._written.keys())
        if not due:
            return False
        self._written |= dict.fromkeys(due, now)
        literal = "{" + ",".join(due) + "}"
        try:
            self._pools.query(self._pools.shared, Command(_NOTE_USE, [literal.encode()]), FLUSH_MS)
        except (PostgateError, ServerError, ConnectionLost) as error:
            happened(NotWritten(f"the use of {len(due)} tokens", type(error).__name__))
        return True

    def close(self) -> None:
        """Write what is left of the usage."""
        self._closed.set()
        if self._pid == os.getpid():
            self._meter.stop()

    def _run(self) -> None:
        while not self._closed.wait(PAUSE_S):
            try:
                self._meter.write()
                if self.flush():
                    finish_deletions(self._pools)
            except Exception as error:
                happened(UnexpectedFailure.of(error))
