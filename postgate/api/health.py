"""GET /health: the process lives. It does not ask the database."""

from flask import Blueprint, Response

from postgate.http.refusals import HEADERS

bp = Blueprint("health", __name__)


@bp.get("/health", provide_automatic_options=False)
def health() -> Response:
    return Response(b'{"status":"ok"}', headers=HEADERS, mimetype="application/json")
