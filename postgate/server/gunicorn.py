"""gunicorn: what it is told, by `postgate serve` and by gunicorn.conf.py, and what its processes do at their start."""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import resource
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from postgate import embedded
from postgate.access.rates import Levels
from postgate.access.slots import Counts
from postgate.app import create_app
from postgate.config import Config
from postgate.metadata import migrate, trial
from postgate.observe import telling, traces
from postgate.observe.events import Announcement, FewDescriptors, StartFailed, happened
from postgate.server import heap, listening, prepare, processors, signals
from postgate.server.first_steps import first_steps
from postgate.server.listening import CannotListen
from postgate.server.metrics import Metrics
from postgate.service import Service

# Files that a worker has open besides its clients: connections to PostgreSQL, and what runs in them.
OTHER_DESCRIPTORS = 1_000


def serve(config: Config) -> None:
    """Serve until interrupted; the embedded database, if it is used, is stopped after the last worker."""
    prepare.start_log(config)
    with _one_line_errors():
        listening.require_free(config.host, config.port)
        _require_metrics_port(config)
        with embedded.database(config, creates=True, report=prepare.announce) as conninfo:
            ready = prepare.ready(config, conninfo)
            where = f"http://{listening.address(config.host, config.port)}"
            last = f"postgate listens on {where} with {_counted(config.workers)}; Ctrl-C stops it.\n"
            _Gunicorn(ready, first_steps(ready, config) + _where_metrics_are(config) + last).run()


def _counted(workers: int) -> str:
    return "one worker" if workers == 1 else f"{workers} workers"


def settings(config: Config) -> dict[str, Any]:
    """gunicorn's settings that follow from ours."""
    return {
        "bind": listening.address(config.host, config.port),
        # Its loop is made of epoll, which only Linux has.
        "worker_class": "postgate.http.worker.Worker" if hasattr(select, "epoll") else "gthread",
        "workers": config.workers,
        "threads": config.threads,
        "worker_connections": config.connections,
        "keepalive": 75,
        # A request that runs when the service is stopped may use its whole time.
        "graceful_timeout": config.statement_timeout_ms // 1000 + 5,
        "loglevel": config.log_level,
        # Its lines are ours: observe/log.py writes them.
        "errorlog": None,
        **_at_forks(config),
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
    }


def hooks() -> dict[str, Callable[[Any], None]]:
    """For gunicorn.conf.py: the master makes the database ready, and its workers inherit where it is."""
    running = ExitStack()
    lines: list[str] = []

    def on_starting(arbiter: Any) -> None:
        signals.end_on_signals()
        config = prepare.configured()
        prepare.start_log(config)
        # Not every way out of gunicorn calls on_exit.
        atexit.register(running.close)
        with _one_line_errors():
            for address in arbiter.cfg.address:
                # The others are files and descriptors.
                if isinstance(address, tuple):
                    listening.require_free(*address)
            _require_metrics_port(config)
            ready = prepare.ready(
                config,
                running.enter_context(embedded.database(config, creates=True, report=prepare.announce)),
            )
            lines.append(first_steps(ready, config))
        os.environ |= {"DATABASE_URL": ready.conninfo or "", "POSTGATE_SKIP_MIGRATIONS": "true"}

    def when_ready(_arbiter: object) -> None:
        _when_ready("".join(lines))

    def on_exit(_arbiter: object) -> None:
        running.close()

    return {"on_starting": on_starting, "when_ready": when_ready, "on_exit": on_exit}


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """End the process with one line, where what fails has one for a person."""
    try:
        yield
    except (CannotListen, migrate.MigrationError, trial.Unprotected, embedded.EmbeddedError) as error:
        happened(StartFailed(f"Error: {error}"))
        raise SystemExit(1) from None


def _where_metrics_are(config: Config) -> str:
    if config.metrics_port is None:
        return ""
    return f"Metrics: http://{listening.address(config.metrics_host, config.metrics_port)}/metrics\n"


def _require_metrics_port(config: Config) -> None:
    if config.metrics_port is not None:
        listening.require_free(config.metrics_host, config.metrics_port, listening.METRICS)


def _at_forks(config: Config) -> dict[str, Callable[..., None]]:
    # Other systems than Linux choose for themselves.
    is_pinned = config.pin_workers and hasattr(os, "sched_setaffinity")
    # One worker has nobody to count with. During a reload the old workers still have their rows.
    shared = (Counts(2 * config.workers), Levels()) if config.workers > 1 else None
    metrics = Metrics(config) if config.metrics_port is not None else None

    def pre_fork(arbiter: Any, worker: Any) -> None:
        if metrics is not None:
            metrics.serve()
        taken = {getattr(other, "row", None) for other in arbiter.WORKERS.values()}
        worker.row = next(row for row in itertools.count() if row not in taken)
        if is_pinned:
            processors.choose(arbiter, worker, config.port)

    def post_fork(_arbiter: Any, worker: Any) -> None:
        signals.die_of_signals()
        if metrics is not None:
            metrics.leave()
        if is_pinned:
            processors.keep(worker)

    def post_worker_init(worker: Any) -> None:
        _settle_worker(worker)
        traces.start()
        # With another application than ours, or a worker more than there are rows, nobody counts.
        service = _service_of(worker)
        if service is not None and metrics is not None:
            gauges = service.gauges
            # The workers of gunicorn's own do not tell.
            metrics.count(lambda: {**gauges(), ("postgate_clients", ()): getattr(worker, "clients", 0)})
        if service is None or shared is None:
            return
        counts, levels = shared
        if worker.row < counts.workers:
            service.slots.count_with_others(counts, worker.row)
            service.rates.count_with_others(levels)

    def worker_exit(_arbiter: Any, worker: Any) -> None:
        telling.tell_now()
        service = _service_of(worker)
        if service is not None:
            service.close()
        traces.end()
        if metrics is not None:
            metrics.end()

    return {
        "pre_fork": pre_fork,
        "post_fork": post_fork,
        "post_worker_init": post_worker_init,
        "worker_exit": worker_exit,
    }


def _service_of(worker: Any) -> Service | None:
    """None where the worker has another application than ours."""
    found = getattr(getattr(worker, "wsgi", None), "extensions", {}).get("postgate")
    return found if isinstance(found, Service) else None


def settle_interpreter() -> None:
    """What suits a worker whose threads have short requests beside a long parse now and then."""
    # A parse makes many objects that live until its end: to look among them for garbage doubles its time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    # In seconds: a request asks for the interpreter some five times, and waits as long for a thread that works on.
    sys.setswitchinterval(0.001)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """gunicorn in this process, configured by us alone."""

    def __init__(self, config: Config, hint: str) -> None:
        self._config = config
        # A reload asks for them again: its workers count together with those whose place they take.
        self._settings = settings(config) | {"when_ready": lambda _: _when_ready(hint)}
        if config.log_level == "info":
            # What it has to say of its start would stand below where it listens and how to stop it.
            self._settings["loglevel"] = "warning"
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            # Older versions lack some.
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> object:
        return create_app(self._config)


def _when_ready(hint: str) -> None:
    signals.stop_gracefully_on_interrupt()
    if hint:
        happened(Announcement(hint))


def _settle_worker(worker: Any) -> None:
    signals.leave_interrupts_to_the_master()
    settle_interpreter()
    heap.give_back()
    _allow_descriptors(worker.cfg.worker_connections + OTHER_DESCRIPTORS)


def _allow_descriptors(wanted: int) -> None:
    """A client has a descriptor; many systems begin with 1,024, and let a process have more if it asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        happened(FewDescriptors(allowed))
