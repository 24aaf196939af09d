"""Whether the service can listen where it is to, found before the database is touched."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from typing import NamedTuple

# The workers of a master that was killed listen on until they look for it, within a second; who starts the next one is
# a supervisor then, which may give up after a failure. A person at a terminal is told at once.
GRACE_S = 1.5
PAUSE_S = 0.1


class CannotListen(Exception):
    """The address cannot be listened on; the text is one line for a person."""


class Names(NamedTuple):
    """What an address can be changed by."""

    host: str
    port: str


SERVICE = Names("--host or POSTGATE_HOST", "--port or POSTGATE_PORT")
METRICS = Names("POSTGATE_METRICS_HOST", "POSTGATE_METRICS_PORT")


def require_free(host: str, port: int, names: Names = SERVICE) -> None:
    """See that the address is free; gunicorn would try for five seconds, after the migration.

    Raises:
        CannotListen: it is not.
    """
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        # gunicorn was given its sockets, by its predecessor or by systemd.
        return
    deadline = time.monotonic() + (0 if sys.stderr.isatty() else GRACE_S)
    while True:
        try:
            _bind(host, port)
            return
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(PAUSE_S)
                continue
            raise CannotListen(_reason(error, host, port, names)) from error


def address(host: str, port: int) -> str:
    """As it stands in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _reason(error: OSError, host: str, port: int, names: Names) -> str:
    where = address(host, port)
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: something listens on {where} already; name another by {names.port}"
    if error.errno == errno.EACCES:
        return f"port {port} is for root alone; name one from 1024 on by {names.port}"
    return f"cannot listen on {where}: {error.strerror or error}; name another address by {names.host}"
