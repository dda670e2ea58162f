"""A person's page, and suggestions of names."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request

from app.db.core import BadQuery, NotFound
from app.db.films import person_directory
from app.user.missing import missing
from app.web.filters import plural
from app.web.query import single

# Headings by role.
ROLES = {"DIRECTOR": "Directed", "WRITER": "Wrote", "ACTOR": "Acted in"}
CARDS = 12  # per role; further films are a list of titles, which keeps the page small
SUGGESTIONS = 8
SUGGESTIONS_MAX_AGE = 60  # seconds that a browser may cache them

blueprint = Blueprint("people", __name__)


@blueprint.get("/people/<person_id>")
def show(person_id: str) -> str | Response:
    """A person's films by role; the role they are known for comes first."""
    try:
        person = person_directory.person(person_id)
    except (NotFound, BadQuery):
        return missing("person")
    return render_template("user/person.html", person=person, headings=ROLES, cards=CARDS)


@blueprint.get("/suggest/people")
def suggest() -> Response:
    """{"people": [{id, name, detail}]} of the `role` whose names match the unfinished `q`, most films first."""
    role, text = single(request.args, "role"), single(request.args, "q")
    found = person_directory.find(text, role=role or None, limit=SUGGESTIONS, unfinished=True)
    people = [{"id": row["_id"], "name": row["name"], "detail": plural(row["films"], "film")} for row in found]
    response = jsonify(people=people)
    response.headers["Cache-Control"] = f"private, max-age={SUGGESTIONS_MAX_AGE}"
    return response
