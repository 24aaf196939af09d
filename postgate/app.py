"""The WSGI application: Flask with the two endpoints, and the service behind them."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from postgate.access.slots import Owner
from postgate.api import answers, health
from postgate.api.observed import Observed
from postgate.api.query import QueryEndpoint, is_query, token_hash
from postgate.config import Config, ConfigError
from postgate.errors import Unauthorized
from postgate.http.terms import Deadlines, Terms
from postgate.observe.requests import DATABASE_ID
from postgate.service import Service


class App(Flask):
    """Flask, for all that is no query."""

    def __init__(self, service: Service) -> None:
        super().__init__("postgate", static_folder=None)
        config = service.config
        self.terms = Terms(
            config.max_body_bytes,
            Deadlines(config.header_timeout_s, config.body_timeout_s, config.answer_timeout_s),
            is_immediate=self._is_immediate,
            slots=service.slots,
            owner=self._owner,
            most_body_bytes=config.waiting_bytes,
            most_waiting=config.database_queue,
            wait_s=config.pool_timeout_s,
        )
        self._service = service
        self.extensions["postgate"] = service
        self.url_map.merge_slashes = False
        # So that other methods are answered by 405.
        self.url_map.add(Rule("/query", endpoint="query", methods=["POST"]))
        self.register_blueprint(health.bp)
        self.register_error_handler(Exception, answers.response)
        self.wsgi_app = Observed(  # type: ignore[method-assign]
            QueryEndpoint(service), self.wsgi_app, config.server_timing
        )

    def _is_immediate(self, environ: dict[str, Any]) -> bool:
        return not is_query(environ) and health.is_immediate(environ, self._service)

    def _owner(self, environ: dict[str, Any]) -> Owner | None:
        """Whose slot a query takes, if its token has been looked up here."""
        try:
            owner = self._service.registry.owners.get(token_hash(environ))
        except Unauthorized:
            return None
        if owner is not None:
            environ[DATABASE_ID] = owner.database_id
        return owner


def create_app(config: Config | None = None) -> App:
    """The WSGI application, by default with the settings of the environment.

    Nothing is connected before the first request, so the process may fork after this. The config must name a
    database: running the embedded one is the business of whoever starts the application.

    Raises:
        ConfigError: a setting is wrong, or no database is named.
    """
    config = config or Config.from_env(os.environ)
    if config.conninfo is None:
        raise ConfigError("DATABASE_URL is not set")
    return App(Service(config))
