"""A film's page."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, Response, render_template

from app.db.core import BadQuery, NotFound
from app.db.films import ranking
from app.db.likes import similar_films
from app.db.search import movie_details
from app.user.missing import missing

CREDIT_GROUPS = {"DIRECTOR": "Directed by", "WRITER": "Written by", "ACTOR": "Cast"}
SHOWN = 15  # people per role; the others are folded away
SIMILAR = 12

blueprint = Blueprint("film", __name__)


@blueprint.get("/films/<film_id>")
def show(film_id: str) -> str | Response:
    """A film, its credits by role, and similar films."""
    try:
        details = movie_details(film_id)
    except (NotFound, BadQuery):
        return missing("film")
    return render_template(
        "user/film.html",
        film=details,
        credit_groups=_by_role(details.get("credits", [])),
        rated=ranking.is_rated(details),
        shown=SHOWN,
        similar=similar_films.films(details, SIMILAR),
    )


def _by_role(credits: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Credits as (heading, people), in the order of CREDIT_GROUPS; other roles come last, under their own names."""
    order = list(CREDIT_GROUPS)

    def rank(credit: dict[str, Any]) -> tuple[int, str]:
        role = credit["role"]
        return (order.index(role) if role in order else len(order), role)

    groups = groupby(sorted(credits, key=rank), key=lambda credit: credit["role"])
    return [(CREDIT_GROUPS.get(role, role.title()), list(people)) for role, people in groups]
