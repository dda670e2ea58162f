"""Suggestions of records by name, for fields that refer to another record."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, request

from app.admin.rights import Action, requires
from app.db.search import references
from app.web.query import single

blueprint = Blueprint("picker", __name__)


@blueprint.get("/pick/<name>")
@requires(Action.VIEW)
def pick(name: str) -> Response:
    """{"matches": [{"id", "name", "detail"}, ...]} for the text `q`."""
    if name not in references.NAMES:
        abort(404)
    matches = [
        {"id": row["_id"], "name": row[references.NAMES[name]], "detail": str(row.get("release_year", ""))}
        for row in references.suggest(name, single(request.args, "q"))
    ]
    return jsonify(matches=matches)
