"""The log: one handler on stderr, for everything below the logger "postgate"."""

import logging
import time
import traceback
from collections.abc import Callable

REPEAT_S = 60.0


def configure_logging(level: str) -> None:
    """Log to stderr from `level` on (debug, info, warning, error or critical)."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("postgate")
    log.handlers = [handler]
    log.setLevel(level.upper())
    log.propagate = False


def log_failure(error: BaseException) -> None:
    """Log where something failed that nobody expected; not its message, which can quote a tenant's data."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logging.getLogger("postgate").error("%s\n%s", type(error).__name__, frames)


def sparing(report: Callable[[str], None]) -> Callable[[str], None]:
    """A way to say the same line as often as it is true, which passes it on once a minute."""
    said: dict[str, float] = {}

    def say(line: str) -> None:
        now = time.monotonic()
        if now - said.get(line, -REPEAT_S) < REPEAT_S:
            return
        said[line] = now
        report(line)

    return say
