"""Finding films: the start page and the search. Open to everyone, as a library's shelves are."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from app.db import catalogue, person_directory, search_misses
from app.db.errors import BadQuery
from app.db.search import search_movies
from app.web.query import single

HOME_SHELF = 12
HOME_POSTERS = 3  # beside the search bar
RESULTS_PER_PAGE = 24
QUERY_MAX = 200  # characters; no film's title is longer
SUGGESTED_WORDS = 3

blueprint = Blueprint("films", __name__)


@blueprint.get("/")
def home() -> str:
    """One search bar, and the best of the library below it."""
    films = catalogue.page(limit=HOME_SHELF + HOME_POSTERS).rows
    return render_template("user/home.html", films=films, shelf=HOME_SHELF)


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


@blueprint.get("/suggest")
def suggest() -> Response:
    """What may be meant by what is being typed: {"suggestions": [{kind, text, detail, url}]}, best first."""
    text = " ".join(single(request.args, "q").split())
    found = person_directory.find(text, limit=8) if len(text) <= QUERY_MAX else []
    rows = [
        {"kind": "person", "text": row["name"], "detail": "", "url": url_for("people.show", person_id=row["_id"])}
        for row in found
    ]
    return jsonify(suggestions=rows)


def _suggestions(text: str) -> list[tuple[str, int]]:
    """Other texts for a search that found nothing: without the quotes, and its longest words one by one.

    Each with the number of films it finds; those that find none either are left out.
    """
    unquoted = " ".join(text.replace('"', " ").split())
    words = sorted(set(unquoted.split()), key=lambda word: (-len(word), word))[:SUGGESTED_WORDS]
    others = dict.fromkeys(other for other in (unquoted, *words) if other != text)
    found = [(other, search_movies(other, limit=1).total) for other in others]
    return [(other, count) for other, count in found if count]
