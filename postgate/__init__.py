"""An HTTP proxy that gives many tenants safe SQL access to PostgreSQL."""

from __future__ import annotations

import logging
import os
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException

    from postgate.config import Config
    from postgate.errors import PostgateError

log = logging.getLogger(__name__)


def create_app(config: Config | None = None) -> Flask:
    """The WSGI application, by default with the settings of the environment.

    Nothing is connected before the first request, so the process may fork after this. The config must name a
    database: running the embedded one is the business of whoever starts the application.
    """
    from flask import Flask

    from postgate import health, query
    from postgate.config import Config, ConfigError
    from postgate.gateway import Gateway

    config = config or Config.from_env(os.environ)
    if config.conninfo is None:
        raise ConfigError("DATABASE_URL is not set")
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    app.extensions["postgate"] = Gateway(config)
    app.register_blueprint(health.bp)
    app.register_blueprint(query.bp)
    app.register_error_handler(Exception, _answer)
    app.after_request(_add_headers)
    return app


def _answer(error: Exception) -> Response:
    """The only place where an error becomes an answer."""
    import orjson
    from flask import Response
    from werkzeug.exceptions import HTTPException

    from postgate.errors import InternalError, PostgateError

    if isinstance(error, HTTPException):
        error = _http_error(error)
    elif not isinstance(error, PostgateError):
        # The message of an error can quote a tenant's data: where it happened is enough.
        frames = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s\n%s", type(error).__name__, frames)
        error = InternalError()
    body = orjson.dumps(error.envelope())
    return Response(body, error.status, error.headers, mimetype="application/json")


def _http_error(error: HTTPException) -> PostgateError:
    from postgate.errors import MethodNotAllowed, NotFound, RequestRefused

    status = error.code or 500
    if status == 404:
        return NotFound()
    if status == 405:
        return MethodNotAllowed(", ".join(sorted(getattr(error, "valid_methods", None) or ())))
    return RequestRefused(status, error.name)


def _add_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
