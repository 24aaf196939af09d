"""What deleted databases have left is dropped batch by batch, outside of the requests."""

from __future__ import annotations

from postgate.errors import PostgateError
from postgate.observe.events import NotClearedAway, happened
from postgate.postgres.errors import ConnectionLost, ServerError
from postgate.postgres.pipeline import Command
from postgate.postgres.pools import Pools
from postgate.sql_files import read_sql

_BATCH_MS = 60_000
_FINISH = Command(read_sql("access", "finish_deletions"))


def finish_deletions(pools: Pools) -> None:
    """Drop what is left, a transaction for each batch; what cannot be dropped now is tried again the next time."""
    try:
        while pools.query(pools.shared, _FINISH, _BATCH_MS) == [(b"t",)]:
            pass
    except (PostgateError, ServerError, ConnectionLost) as error:
        happened(NotClearedAway(type(error).__name__))
