"""`gunicorn postgate.wsgi:app` in this directory: the same settings as `postgate serve`, from the environment."""

from postgate import server

globals().update(server.settings(server.configured()))
globals().update(server.hooks())
