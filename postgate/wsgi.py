"""`postgate.wsgi:app`, for gunicorn and every other WSGI server."""

from __future__ import annotations

from postgate import create_app, server

app = create_app(server.prepared(server.configured()))
