"""`postgate.wsgi:app`, for gunicorn and every other WSGI server."""

from __future__ import annotations

import atexit

from postgate.app import create_app
from postgate.server import prepare

app = create_app(prepare.in_background(prepare.configured()))
# What is counted and not yet written, in whatever process of the server has served.
atexit.register(app.extensions["postgate"].close)
