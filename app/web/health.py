"""Health checks for the service manager and the proxy."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.db.core import DatabaseUnavailable, ping
from app.web.errors import RETRY_AFTER

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """200 as long as the process answers, whatever the database does."""
    return _answer("ok")


@blueprint.get("/readyz")
def ready() -> Response:
    """200 if films can be read from the database, else 503 with Retry-After."""
    try:
        ping()
    except DatabaseUnavailable:
        response = _answer("database unavailable")
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER)
        return response
    return _answer("ok")


def _answer(status: str) -> Response:
    response = jsonify(status=status)
    response.headers["Cache-Control"] = "no-store"
    return response
