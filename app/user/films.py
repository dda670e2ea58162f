"""Finding films: start page, search, catalogue and film page. Open to everyone, as a library's shelves are."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import Blueprint, render_template, request

from app.db import search_misses
from app.db.errors import BadQuery
from app.db.search import movie_details, search_movies, top_movies
from app.user.posters import poster
from app.web.query import single

CATALOGUE_SIZE = 100
HOME_SHELF = 12
HOME_POSTERS = 3  # beside the search bar
RESULTS_PER_PAGE = 24
QUERY_MAX = 200  # characters; no film's title is longer
SUGGESTED_WORDS = 3
CREDIT_GROUPS = {"DIRECTOR": "Directed by", "WRITER": "Written by", "ACTOR": "Cast"}

blueprint = Blueprint("films", __name__)
blueprint.add_app_template_global(poster)


@blueprint.get("/")
def home() -> str:
    """One search bar, and the best of the library below it."""
    films = top_movies(limit=HOME_SHELF + HOME_POSTERS)
    return render_template("user/home.html", films=films, shelf=HOME_SHELF)


@blueprint.get("/catalogue")
def catalogue() -> str:
    """The top 100 by weighted rating."""
    return render_template("user/catalogue.html", films=top_movies(limit=CATALOGUE_SIZE))


@blueprint.get("/search")
def search() -> str | tuple[str, int]:
    """Films for `q`: words in any order, the last one as a prefix, "a phrase" as it stands. `after` continues."""
    text = " ".join(single(request.args, "q").split())
    if not text:
        return render_template("user/search.html", text="", page=None)
    if len(text) > QUERY_MAX:
        problem = f"That is a long one. Please use at most {QUERY_MAX} characters."
        return render_template("user/search.html", text=text[:QUERY_MAX], page=None, problem=problem), 400
    after = single(request.args, "after") or None
    try:
        page = search_movies(text, limit=RESULTS_PER_PAGE, after=after)
    except BadQuery as error:
        if after:  # a link that we made, tampered with
            raise
        return render_template("user/search.html", text=text, page=None, problem=f"{error}."), 400
    suggestions = []
    if not page.rows and not after:
        search_misses.record(text)
        suggestions = _suggestions(text)
    return render_template("user/search.html", text=text, page=page, continued=bool(after), suggestions=suggestions)


@blueprint.get("/films/<film_id>")
def film(film_id: str) -> str:
    """All there is about a film, with its people by role."""
    details = movie_details(film_id)
    return render_template("user/film.html", film=details, credit_groups=_by_role(details.get("credits", [])))


def _suggestions(text: str) -> list[tuple[str, int]]:
    """Other texts for a search that found nothing: without the quotes, and its longest words one by one.

    Each with the number of films it finds; those that find none either are left out.
    """
    unquoted = " ".join(text.replace('"', " ").split())
    words = sorted(set(unquoted.split()), key=lambda word: (-len(word), word))[:SUGGESTED_WORDS]
    others = dict.fromkeys(other for other in (unquoted, *words) if other != text)
    found = [(other, search_movies(other, limit=1).total) for other in others]
    return [(other, count) for other, count in found if count]


def _by_role(credits: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Credits as (heading, people), in the order of CREDIT_GROUPS; what else there is comes last under its own name."""
    order = list(CREDIT_GROUPS)

    def rank(credit: dict[str, Any]) -> tuple[int, str]:
        role = credit["role"]
        return (order.index(role) if role in order else len(order), role)

    groups = groupby(sorted(credits, key=rank), key=lambda credit: credit["role"])
    return [(CREDIT_GROUPS.get(role, role.title()), list(people)) for role, people in groups]
