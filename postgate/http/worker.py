"""The gunicorn worker that serves by our loop: gunicorn keeps its master, signals, reloads, settings and hooks."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from time import monotonic
from typing import Any

from gunicorn.config import PostRequest, PreRequest  # type: ignore[import-untyped]
from gunicorn.workers.base import Worker as Base  # type: ignore[import-untyped]

from postgate.http.loop import Loop, Observer
from postgate.http.requests import Limits, Request
from postgate.http.responses import Response
from postgate.http.terms import Terms

# How much longer than its requests a worker may take to stop, before gunicorn's master kills it.
STOP_S = 1.0


class Worker(Base):  # type: ignore[misc]
    """`worker_class = "postgate.http.worker.Worker"`: an event loop and `threads` threads."""

    alive: bool
    # None until the worker runs: a signal can come while the application is loaded.
    _loop: Loop | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """gunicorn asks this before it starts: what this class lacks must not be taken as done."""
        if cfg.is_ssl or cfg.proxy_protocol not in ("off", False):
            log.error("this worker class has neither TLS nor the PROXY protocol: use worker_class gthread for them")
            sys.exit(1)

    def run(self) -> None:
        # gunicorn's own hooks write for each request a line for debugging, of which our log has all.
        self._pre_request = None if self.cfg.pre_request is PreRequest.default else self.cfg.pre_request
        self._post_request = None if self.cfg.post_request is PostRequest.default else self.cfg.post_request
        # Another application than ours asks for nothing.
        terms = getattr(self.wsgi, "terms", Terms())
        self._loop = loop = Loop(
            self.wsgi,
            self.sockets,
            threads=self.cfg.threads,
            most_connections=self.cfg.worker_connections,
            keep_alive_s=self.cfg.keepalive,
            limits=Limits(
                self.cfg.limit_request_line,
                self.cfg.limit_request_fields,
                self.cfg.limit_request_field_size,
                terms.max_body_bytes or Limits().body_bytes,
            ),
            terms=terms,
            environment={"wsgi.errors": sys.stderr, "wsgi.multiprocess": self.cfg.workers > 1},
            observer=Observer(self._begins, self._ends),
        )
        loop.run(self._is_wanted, self.cfg.graceful_timeout - STOP_S)

    @property
    def clients(self) -> int:
        """How many are connected."""
        return 0 if self._loop is None else self._loop.connections

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: stop when what has begun is done."""
        super().handle_exit(sig, frame)
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.wake()

    def _is_wanted(self) -> bool:
        self.notify()
        return self.alive and os.getppid() == self.ppid

    def _begins(self, request: Request) -> None:
        self.nr += 1
        if self.nr >= self.max_requests:
            request.keep_alive = False
            if self.alive:
                self.log.info("the worker has had its %d requests and makes place for a new one", self.max_requests)
                self.alive = False
                self._wake()
        if self._pre_request is not None:
            self._pre_request(self, request)

    def _ends(self, request: Request, response: Response) -> None:
        if self.log.access_log_enabled:
            took = timedelta(seconds=monotonic() - request.began)
            self.log.access(response, request, request.environ, took)
        if self._post_request is not None:
            self._post_request(self, request, request.environ, response)
