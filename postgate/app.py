"""The WSGI application: Flask with the two endpoints, and the service behind them."""

from __future__ import annotations

import os

from flask import Flask, Request
from werkzeug.routing import MapAdapter

from postgate.api import answers, health, query
from postgate.config import Config, ConfigError
from postgate.service import Service


class App(Flask):
    """Flask without what two fixed paths do not need."""

    # The server that calls us need not keep more of a body.
    max_body_bytes: int

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The rules have no hosts, so neither the environment's server name nor its Host header is read for them."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)


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
    app = App("postgate", static_folder=None)
    app.max_body_bytes = config.max_body_bytes
    app.url_map.merge_slashes = False
    app.extensions["postgate"] = Service(config)
    app.register_blueprint(health.bp)
    app.register_blueprint(query.bp)
    app.register_error_handler(Exception, answers.refusal)
    return app
