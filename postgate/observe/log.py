"""The log: one handler on stderr, for everything below the logger "postgate"."""

import logging
import traceback


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
