"""The priority of a backend on this machine."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postgate.postgres.connection import Connection

_LOWEST = 19
# struct ucred, unix(7): process, user and group of the other end.
_CREDENTIALS = struct.Struct("3i")


def give_way(connection: Connection) -> None:
    """Have the connection's backend take only the time that nobody else wants; it keeps that until it ends.

    Only where it is a child of the server at the other end of our socket, as with the embedded one: a process of that
    number can be anything where the server has another machine, or other numbers. Where we may not, nothing happens.
    """
    pid = connection.pgconn.backend_pid
    with suppress(OSError, AttributeError, ValueError):
        with socket.socket(fileno=os.dup(connection.fileno())) as ours:
            credentials = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        server, _, _ = _CREDENTIALS.unpack(credentials)
        # The fields after the name, which is in parentheses: state, parent (proc(5)).
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if server > 0 and parent == server:
            os.setpriority(os.PRIO_PROCESS, pid, _LOWEST)
