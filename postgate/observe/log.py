"""The log: one handler on stderr, for everything below the logger "postgate"."""

import logging


def configure_logging(level: str) -> None:
    """Log to stderr from `level` on (debug, info, warning, error or critical)."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("postgate")
    log.handlers = [handler]
    log.setLevel(level.upper())
    log.propagate = False
