"""When a token was last used: written outside of the requests, at most once a minute for each token."""

from __future__ import annotations

import logging
import os
import time
from threading import Event, Lock, Thread

from postgate.errors import PostgateError
from postgate.postgres.pipeline import Command, ConnectionLost, Pipeline, ServerError
from postgate.postgres.pools import Pools

log = logging.getLogger(__name__)

MINUTE = 60.0
PAUSE_S = 1.0
FLUSH_S = 10.0

# Several processes may note the same token, and an administrator may be changing it: neither is waited for.
_FLUSH = b"""
    UPDATE public.postgate_tokens AS t SET last_used_at = pg_catalog.now()
    FROM (
        SELECT id FROM public.postgate_tokens
        WHERE id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.uuid[])
            AND coalesce(pg_catalog.age(pg_catalog.now(), last_used_at) OPERATOR(pg_catalog.>) '50 s', true)
        FOR UPDATE SKIP LOCKED
    ) AS used
    WHERE t.id OPERATOR(pg_catalog.=) used.id
"""


class Usage:
    """Notes uses; a thread that starts with the first one writes them."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._lock = Lock()
        self._noted: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._pid = 0
        self._closed = Event()

    def note(self, token_id: str) -> None:
        """A token was used now; costs a dictionary look-up."""
        now = time.monotonic()
        if now - self._noted.get(token_id, -MINUTE) < MINUTE and self._pid == os.getpid():
            return
        with self._lock:
            self._noted[token_id] = now
            self._waiting.add(token_id)
            if self._pid != os.getpid():
                self._pid = os.getpid()
                Thread(target=self._run, name="postgate-usage", daemon=True).start()

    def flush(self) -> None:
        """Write what was noted. What cannot be written now is lost: it is noted again a minute later."""
        with self._lock:
            used, self._waiting = self._waiting, set()
            oldest = time.monotonic() - MINUTE
            self._noted = {token: at for token, at in self._noted.items() if at > oldest}
        if not used:
            return
        literal = "{" + ",".join(sorted(used)) + "}"
        try:
            with self._pools.connection(self._pools.shared) as connection, Pipeline(connection, FLUSH_S) as pipeline:
                pipeline.send(Command(_FLUSH, [literal.encode()]))
                pipeline.commit()
                pipeline.result()
                pipeline.finish()
        except (PostgateError, ServerError, ConnectionLost) as error:
            log.warning("the use of %d tokens could not be noted: %s", len(used), type(error).__name__)

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(PAUSE_S):
            try:
                self.flush()
            except Exception as error:
                log.error("noting the use of tokens failed: %s", type(error).__name__)
