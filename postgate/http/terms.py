"""What an application asks of the server that calls it, besides what PEP 3333 knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Deadlines(NamedTuple):
    """Seconds: for a head from its first byte on, for a body, and for the client to take an answer.

    To the last two each byte that goes over adds, so that only who stands still, or nearly, is cut off.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    answer_s: float = 30.0


def _nothing(_environ: Mapping[str, Any]) -> bool:
    return False


class Terms(NamedTuple):
    """
    Attributes:
        max_body_bytes: the application takes no more of a body; None for the server's own limit.
        is_immediate: by the environment of a request, whether it is answered without waiting for anything; then it
            needs no thread, and comes before all that wait for one.
    """

    max_body_bytes: int | None = None
    deadlines: Deadlines = Deadlines()
    is_immediate: Callable[[Mapping[str, Any]], bool] = _nothing
