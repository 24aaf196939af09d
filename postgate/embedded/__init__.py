"""The embedded PostgreSQL: started by the first process that uses a data directory, stopped by the last."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from postgate.embedded.cluster import NAME, Cluster, EmbeddedError

if TYPE_CHECKING:
    from postgate.config import Config

__all__ = ["EmbeddedError", "database", "running"]


@contextmanager
def database(config: Config) -> Iterator[str]:
    """The conninfo of the configured database, or of the embedded one, which then runs as long as the body."""
    if config.conninfo is not None:
        yield config.conninfo
    else:
        with running(config.data_dir, memory_bytes=config.embedded_memory_bytes) as conninfo:
            yield conninfo


@contextmanager
def running(data_dir: Path, *, durable: bool = True, memory_bytes: int | None = None) -> Iterator[str]:
    """Yield the conninfo of the server in `data_dir`, which runs at least as long as the body.

    Any number of processes may do this at once. `durable=False` trades crash safety for speed: for tests only.
    `memory_bytes` is for each process of the server, by default half of the machine's.
    """
    owner = os.getpid()
    with _readable_errors(data_dir):
        cluster = Cluster(data_dir.absolute(), durable, memory_bytes)
    with _lock_file(cluster, "users") as users:
        try:
            with _readable_errors(data_dir), _starting_or_stopping(cluster):
                fcntl.flock(users, fcntl.LOCK_SH)
                cluster.start()
            yield cluster.conninfo(NAME)
        finally:
            # A forked worker that leaves the body too has no part in this.
            if os.getpid() == owner:
                _leave(cluster, users)


def _leave(cluster: Cluster, users: int) -> None:
    """Stop the server if nobody else uses it."""
    with _starting_or_stopping(cluster):
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        cluster.stop()


@contextmanager
def _readable_errors(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedError(f"cannot use the data directory {data_dir}: {error}") from error


@contextmanager
def _starting_or_stopping(cluster: Cluster) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with _lock_file(cluster, "start") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _lock_file(cluster: Cluster, name: str) -> Iterator[int]:
    with _readable_errors(cluster.data_dir):
        handle = os.open(cluster.data_dir / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
