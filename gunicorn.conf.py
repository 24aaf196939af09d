"""`gunicorn postgate.wsgi:app` in this directory: the same settings as `postgate serve`, from the environment."""

from postgate.server import gunicorn, prepare

globals().update(gunicorn.settings(prepare.configured()))
globals().update(gunicorn.hooks())
