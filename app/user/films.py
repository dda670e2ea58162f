"""The start page and the search, open to everyone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from app.db.core import BadQuery, TooSlow, tokenize
from app.db.films import catalogue
from app.db.search import (
    ANY,
    Narrow,
    Suggestion,
    correct,
    facets,
    failed_searches,
    people_named,
    search_movies,
    spelling,
    suggestions,
)
from app.user import narrowing
from app.web.errors import sentence
from app.web.query import single

HOME_SHELF = 12
HOME_POSTERS = 3  # beside the search bar
RESULTS_PER_PAGE = 24
PEOPLE_SHOWN = 4
QUERY_MAX = 200  # characters; no film's title is longer
SUGGESTED_TEXTS = 3
SUGGESTIONS_MAX_AGE = 60  # seconds that a browser may cache suggestions

TOO_LONG = f"That's too long. Please use at most {QUERY_MAX} characters."
TOO_SLOW = "Too many films match, so the search was stopped. Add a word, or use a rarer one."

Page = str | tuple[str, int]

blueprint = Blueprint("films", __name__)


@blueprint.get("/")
def home() -> str:
    """A search bar, and the best films below it."""
    films = catalogue.page(limit=HOME_SHELF + HOME_POSTERS).rows
    return render_template("user/home.html", films=films, shelf=HOME_SHELF)


@blueprint.get("/search")
def search() -> Page:
    """Films for `q`: words in any order, the last one as a prefix, "a phrase" as it is. `after` continues.

    `type`, `genre`, `decade` and `country` narrow the search. `facets=yes` puts the facets on the page, for browsers
    without JavaScript; facets.js fetches them from /search/facets.
    """
    text = _text()
    if len(text) > QUERY_MAX:
        return _problem(text[:QUERY_MAX], TOO_LONG, 400)
    if not tokenize(text):
        return render_template("user/search.html", text=text, page=None)
    narrow = narrowing.narrow_from(request.args)
    after = single(request.args, "after") or None
    try:
        context = _results(text, narrow, after)
    except TooSlow:
        return _problem(text, TOO_SLOW, 503)
    except BadQuery as error:
        if after or narrow != ANY:  # one of our links, tampered with
            raise
        return _problem(text, sentence(str(error)), 400)
    if single(request.args, "facets") == "yes" and context["page"].rows:
        with suppress(TooSlow):  # the page still has the films
            context |= _facets(context["text"], narrow, on_page=True)
    return render_template("user/search.html", **context)


@blueprint.get("/search/facets")
def search_facets() -> str:
    """The facets of a search with counts: an HTML fragment for the results page."""
    text = _text()
    if not text or len(text) > QUERY_MAX:
        raise BadQuery("a search text is needed")
    return render_template("user/facets.html", **_facets(text, narrowing.narrow_from(request.args), on_page=False))


@blueprint.get("/suggest")
def suggest() -> Response:
    """Films and people for an unfinished text: {"suggestions": [{kind, id, text, detail, url}]}, best first."""
    text = _text()
    found = suggestions.suggest(text) if 0 < len(text) <= QUERY_MAX else []
    response = jsonify(suggestions=[{**asdict(item), "url": _page_of(item)} for item in found])
    response.headers["Cache-Control"] = f"private, max-age={SUGGESTIONS_MAX_AGE}"
    return response


def _page_of(item: Suggestion) -> str:
    if item.kind == "person":
        return url_for("people.show", person_id=item.id)
    return url_for("film.show", film_id=item.id)


def _text() -> str:
    return " ".join(single(request.args, "q").split())


def _problem(text: str, problem: str, status: int) -> tuple[str, int]:
    return render_template("user/search.html", text=text, page=None, problem=problem), status


def _facets(text: str, narrow: Narrow, *, on_page: bool) -> dict[str, Any]:
    counts = facets.count(text, narrow)
    return {"facets": counts, "groups": narrowing.groups(text, narrow, counts, on_page=on_page)}


def _results(text: str, narrow: Narrow, after: str | None) -> dict[str, Any]:
    """What the results page shows. A text without matches is corrected if that finds films in time.

    Raises:
        BadQuery, TooSlow: as `search_movies`.
    """
    page = search_movies(text, narrow=narrow, limit=RESULTS_PER_PAGE, after=after)
    context: dict[str, Any] = {"text": text, "page": page, "continued": bool(after)}
    if not after:
        context["people"] = _people(text, narrow)
        if not page.rows:
            with suppress(TooSlow):  # then the page just says that nothing matches
                context |= _instead(text, narrow)
    searched = context["text"]
    context["filters"] = narrowing.filters(searched, narrow, on_page=single(request.args, "facets") == "yes")
    context["arguments"] = {"q": searched, **narrowing.parameters(narrow)}
    return context


def _people(text: str, narrow: Narrow) -> list[dict[str, Any]]:
    """People of that name; none if the search is narrowed."""
    return people_named(text, PEOPLE_SHOWN) if narrow == ANY else []


def _instead(text: str, narrow: Narrow) -> dict[str, Any]:
    """For a search without matches: its matches without filters, corrected, or with fewer words."""
    if narrow != ANY:
        unfiltered = search_movies(text, limit=1)
        if unfiltered.rows:
            return {"unfiltered": unfiltered}
    failed_searches.record(text)
    if corrected := correct(text):
        page = search_movies(corrected, narrow=narrow, limit=RESULTS_PER_PAGE)
        if page.rows:
            return {"text": corrected, "typed": text, "page": page, "people": _people(corrected, narrow)}
    return {"suggestions": _shorter(text)}


def _shorter(text: str) -> list[tuple[str, int | None]]:
    """Other texts for a search without matches, each with its number of films (None: not counted)."""
    found = ((other, search_movies(other, limit=1)) for other in spelling.shorter(text))
    return list(islice(((other, page.total) for other, page in found if page.rows), SUGGESTED_TEXTS))
