"""Which process does what when a signal comes, so that the embedded database is always the last to stop."""

from __future__ import annotations

import os
import signal
from types import FrameType


def end_on_signals() -> None:
    """Let SIGTERM, SIGHUP and Ctrl-C unwind, and end the process with the status that a shell gives for the signal: an
    embedded database must not be left running.

    gunicorn puts its own handlers in their place once it runs.
    """

    def end(signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    # Python's own exception for Ctrl-C would end the process by the signal where it comes while a class is made from
    # text, as dataclasses are, even if it is caught later.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # In the background, or under nohup, some are ignored.
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, end)


def stop_gracefully_on_interrupt() -> None:
    """In gunicorn's master: from now on Ctrl-C is a graceful stop; a second one is gunicorn's quick stop."""
    quick = signal.getsignal(signal.SIGINT)

    def stop(_signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, quick)
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGINT, stop)


def die_of_signals() -> None:
    """In a worker that boots: it has the master's handlers at first, which would swallow the signals that end it."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_DFL)


def leave_interrupts_to_the_master() -> None:
    """In a worker: a terminal sends it Ctrl-C too, and gunicorn's can hang when a second signal follows at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
