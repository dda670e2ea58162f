"""What somebody may mean who types the name of a record that another one refers to."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, request

from app.admin.rights import Action, requires
from app.db.references import NAMES, suggest
from app.web.query import single

blueprint = Blueprint("picker", __name__)


@blueprint.get("/pick/<name>")
@requires(Action.VIEW)
def pick(name: str) -> Response:
    """{"matches": [{"id", "name", "detail"}, ...]} for the text `q`."""
    if name not in NAMES:
        abort(404)
    matches = [
        {"id": row["_id"], "name": row[NAMES[name]], "detail": str(row.get("release_year", ""))}
        for row in suggest(name, single(request.args, "q"))
    ]
    return jsonify(matches=matches)
