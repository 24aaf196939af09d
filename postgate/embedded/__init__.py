"""The embedded PostgreSQL: started by the first process that uses a data directory, stopped by the last."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import psycopg

from postgate.embedded.cluster import NAME, Cluster, EmbeddedError, is_cluster
from postgate.observe.events import EmbeddedDied, EmbeddedNotStarted, EmbeddedStarted, happened

if TYPE_CHECKING:
    from postgate.config import Config

# Between two looks whether the server lives.
WATCH_S = 1.0

__all__ = ["EmbeddedError", "database", "running"]


@contextmanager
def database(config: Config, *, creates: bool = False, report: Callable[[str], None] | None = None) -> Iterator[str]:
    """The conninfo of the configured database, or of the embedded one, which then runs as long as the body.

    Args:
        creates: make an embedded one where there is none.
        report: takes a line for each step of its start.

    Raises:
        EmbeddedError: there is none, or it cannot be used.
    """
    if config.conninfo is not None:
        yield config.conninfo
        return
    if not creates and not is_cluster(config.data_dir):
        raise EmbeddedError(
            f"there is no database in {config.data_dir.absolute()}: run this where `postgate serve` runs, or name the"
            " database by POSTGATE_DATA_DIR or DATABASE_URL"
        )
    with running(config.data_dir, memory_bytes=config.embedded_memory_bytes, report=report) as conninfo:
        yield conninfo


@contextmanager
def running(
    data_dir: Path,
    *,
    durable: bool = True,
    memory_bytes: int | None = None,
    report: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """Yield the conninfo of the server in `data_dir`, which runs at least as long as the body.

    Any number of processes may do this at once. `durable=False` trades crash safety for speed: for tests only.
    `memory_bytes` is for each process of the server, by default half of the machine's. `report` takes a line for each
    step of the start.
    """
    owner = os.getpid()
    with _readable_errors(data_dir):
        cluster = Cluster(data_dir.absolute(), durable, memory_bytes)
    with _lock_file(cluster, "users") as users:
        try:
            with _readable_errors(data_dir), _starting_or_stopping(cluster):
                fcntl.flock(users, fcntl.LOCK_SH)
                cluster.start(report)
            with _watched(cluster):
                yield cluster.conninfo(NAME)
        finally:
            # A forked worker that leaves the body too has no part in this.
            if os.getpid() == owner:
                _leave(cluster, users)


@contextmanager
def _watched(cluster: Cluster) -> Iterator[None]:
    """A server that dies is started again: killed by the kernel for its memory, or by its administrator."""
    ends = Event()

    def watch() -> None:
        while not ends.wait(WATCH_S):
            try:
                if cluster.postmaster() is not None:
                    continue
                happened(EmbeddedDied(str(cluster.log)))
                with _starting_or_stopping(cluster):
                    cluster.start()
                happened(EmbeddedStarted())
            except (EmbeddedError, OSError, psycopg.Error) as error:
                # Its processes may still be ending, or no file can be opened: the next look may find it otherwise.
                happened(EmbeddedNotStarted(str(error)))

    # It is no thread of a forked worker's.
    watcher = Thread(target=watch, name="postgate-embedded", daemon=True)
    watcher.start()
    owner = os.getpid()
    try:
        yield
    finally:
        ends.set()
        if os.getpid() == owner:
            watcher.join()


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
