"""A person's page, and the names that are offered while one types."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request

from app.db.core import BadQuery, NotFound
from app.db.films import person_directory
from app.user.missing import missing
from app.web.filters import plural
from app.web.query import single

# Heading of a role's films.
ROLES = {"DIRECTOR": "Directed", "WRITER": "Written", "ACTOR": "Acted in"}
CARDS = 12  # of each role; further films are a list of titles, which keeps the page small
SUGGESTIONS = 8
SUGGESTIONS_KEPT = 60  # seconds that a browser may reuse them

blueprint = Blueprint("people", __name__)


@blueprint.get("/people/<person_id>")
def show(person_id: str) -> str | Response:
    """A person's films, by what they did in them; what they are known for comes first."""
    try:
        person = person_directory.person(person_id)
    except (NotFound, BadQuery):
        return missing("person")
    return render_template("user/person.html", person=person, headings=ROLES, cards=CARDS)


@blueprint.get("/suggest/people")
def suggest() -> Response:
    """{"people": [{id, name, detail}]} of the `role` whose names have words that begin so, most films first."""
    role, text = single(request.args, "role"), single(request.args, "q")
    found = person_directory.find(text, role=role or None, limit=SUGGESTIONS, unfinished=True)
    people = [{"id": row["_id"], "name": row["name"], "detail": plural(row["films"], "film")} for row in found]
    response = jsonify(people=people)
    response.headers["Cache-Control"] = f"private, max-age={SUGGESTIONS_KEPT}"
    return response
