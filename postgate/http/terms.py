"""What an application asks of the server that calls it, besides what PEP 3333 knows.

In the environment of a request it finds `postgate.client`, the descriptor of the client's socket, which it may watch
while it runs, and `postgate.arrived`, when the request was here whole (time.monotonic). While the server
stops it has STOPPING.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

# In the environment of a request while the server stops.
STOPPING = "postgate.stopping"


class Deadlines(NamedTuple):
    """Seconds: for a head from its first byte on, for a body, and for the client to take an answer.

    To the last two each byte that goes over adds, so that only who stands still, or nearly, is cut off.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    answer_s: float = 30.0


class Slots(Protocol):
    """How much each owner of requests may have under way. An owner is whatever can be the key of a dictionary."""

    def has_room(self, owner: Any) -> bool:
        """Whether one more of this owner's could run."""

    def take(self, owner: Any) -> bool:
        """Whether one more of this owner's may run; then `give` follows."""

    def give(self, owner: Any, took_s: float) -> None:
        """One of this owner's is done, which has taken so long."""


class NoSlot(BaseException):
    """Raised through the application when its request has to wait: it is called with the same one again.

    No Exception, because it is none of the application's failures.
    """


def _nothing(_environ: Mapping[str, Any]) -> bool:
    return False


def _nobody(_environ: Mapping[str, Any]) -> Any:
    return None


class Terms(NamedTuple):
    """
    Attributes:
        max_body_bytes: the application takes no more of a body; None for the server's own limit.
        is_immediate: by the environment of a request, whether it is answered without waiting for anything; then it
            needs no thread, and comes before all that wait for one.
        slots: how much each owner may have under way; the rest of its requests waits without a thread.
        owner: by the environment of a request, whose slot it takes; None where only the application can tell. Then the
            environment has `postgate.join`, which takes the owner and returns when there is a slot, or raises NoSlot.
        most_body_bytes: what large bodies may have together that are incomplete, or whose requests wait; at least one
            may always come.
        most_waiting: requests of one owner that wait; the next one is refused at once.
        wait_s: how long a request waits before it is refused.
    """

    max_body_bytes: int | None = None
    deadlines: Deadlines = Deadlines()
    is_immediate: Callable[[dict[str, Any]], bool] = _nothing
    slots: Slots | None = None
    owner: Callable[[dict[str, Any]], Any] = _nobody
    most_body_bytes: int = 128 * 1024 * 1024
    most_waiting: int = 64
    wait_s: float = 5.0
