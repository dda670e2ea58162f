"""The faces of films: poster and facts, as every list shows them.

A page of the catalogue has a hundred, and rendering them takes several times as long as reading the films. Each is the
same for everybody, so the latest are kept as they were rendered, by all that a face shows: a film that changes has
another face.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from flask import current_app
from markupsafe import Markup

# What a face shows of a film, beside its genres.
FIELDS = ("_id", "title", "type", "release_year", "imdb_score", "critics_score", "tmdb_score", "poster")
GENRES = 3
KEPT = 4096  # faces; some 4 MB in each worker


class Face(NamedTuple):
    """The HTML of a face. What a list adds, a film's rank, comes between the two."""

    picture: Markup
    words: Markup


def face(film: dict[str, Any]) -> Face:
    """The face of a film, a row with at least FIELDS as far as there are any: kept from before, or rendered."""
    return _rendered(tuple(map(film.get, FIELDS)), tuple((film.get("genres") or ())[:GENRES]))


@lru_cache(KEPT)
def _rendered(values: tuple[Any, ...], genres: tuple[str, ...]) -> Face:
    film = dict(zip(FIELDS, values, strict=True), genres=genres)
    macros: Any = current_app.jinja_env.get_template("user/card.html").module
    return Face(macros.picture(film), macros.words(film))
