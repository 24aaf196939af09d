"""gunicorn's settings as `postgate serve` has them: `gunicorn -c python:postgate.server.conf postgate.wsgi:app`."""

from postgate.server import gunicorn, prepare

globals().update(gunicorn.settings(prepare.configured()))
globals().update(gunicorn.hooks())
