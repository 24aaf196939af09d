"""What deleted databases have left is dropped batch by batch, outside of the requests."""

from __future__ import annotations

import logging

from postgate.errors import PostgateError
from postgate.postgres.errors import ConnectionLost, ServerError
from postgate.postgres.pipeline import Command
from postgate.postgres.pools import Pools
from postgate.sql_files import read_sql

log = logging.getLogger(__name__)

_BATCH_MS = 60_000
_FINISH = Command(read_sql("access", "finish_deletions"))


def finish_deletions(pools: Pools) -> None:
    """Drop what is left, a transaction for each batch; what cannot be dropped now is tried again the next time."""
    try:
        while pools.query(pools.shared, _FINISH, _BATCH_MS) == [(b"t",)]:
            pass
    except (PostgateError, ServerError, ConnectionLost) as error:
        log.warning("a deleted database could not be cleared away: %s", type(error).__name__)
