"""For `gunicorn postgate.wsgi:app` in this directory."""

from postgate.server.conf import *  # noqa: F403
