"""HTTP/1.1 between a socket and a WSGI application: what a worker of ours does in place of gunicorn's threads."""
