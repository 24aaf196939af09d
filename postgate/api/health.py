"""GET /health: the process lives; it does not ask the database. With ?ready: a query would be answered, and safely."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request

from postgate.access.readiness import READY, State
from postgate.errors import NotReady
from postgate.http.refusals import HEADERS
from postgate.http.terms import STOPPING
from postgate.service import Service

_KNOWN = "postgate.readiness"

bp = Blueprint("health", __name__)


@bp.get("/health", provide_automatic_options=False)
def health() -> Response:
    if not _asks_for_readiness(request.environ):
        return _told("ok")
    state = _state(request.environ)
    if state != READY:
        raise NotReady(state.words, state.reason)
    return _told("ready")


def is_immediate(environ: dict[str, Any], service: Service) -> bool:
    """Whether a request that is no query is answered without a wait: all of them but for readiness, unless that is
    known; then it is kept in the environment, because it may be too old a moment later."""
    if not _asks_for_readiness(environ):
        return True
    known = environ[_KNOWN] = service.readiness.known()
    return known is not None


def _asks_for_readiness(environ: Mapping[str, Any]) -> bool:
    query = environ.get("QUERY_STRING", "")
    return environ["PATH_INFO"] == "/health" and "ready" in {part.partition("=")[0] for part in query.split("&")}


def _state(environ: Mapping[str, Any]) -> State:
    if STOPPING in environ:
        return State("draining", "the process stops")
    service: Service = current_app.extensions["postgate"]
    return environ.get(_KNOWN) or service.readiness.state()


def _told(status: str) -> Response:
    return Response(f'{{"status":"{status}"}}', headers=HEADERS, mimetype="application/json")
