"""`postgate.wsgi:app`, for gunicorn and every other WSGI server."""

from __future__ import annotations

from postgate.app import create_app
from postgate.server import prepare

app = create_app(prepare.in_background(prepare.configured()))
