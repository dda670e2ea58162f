"""Cards of films: poster and facts, as lists show them.

A catalogue page has a hundred cards, and rendering them takes several times as long as reading the films. A card is the
same for everybody, so the latest are cached by everything they show: a film that changes gets a new card.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from flask import current_app
from markupsafe import Markup

# What a card shows, besides the genres.
FIELDS = ("_id", "title", "type", "release_year", "imdb_score", "critics_score", "tmdb_score", "poster")
GENRES = 3
CACHED = 4096  # cards; some 4 MB in each worker


class CardHtml(NamedTuple):
    """A card in two parts; lists put the rank between them."""

    picture: Markup
    words: Markup


def card_html(film: dict[str, Any]) -> CardHtml:
    """The card of a film, from the cache if it is there. `film` has FIELDS and genres, as far as they are known."""
    return _rendered(tuple(map(film.get, FIELDS)), tuple((film.get("genres") or ())[:GENRES]))


@lru_cache(CACHED)
def _rendered(values: tuple[Any, ...], genres: tuple[str, ...]) -> CardHtml:
    film = dict(zip(FIELDS, values, strict=True), genres=genres)
    macros: Any = current_app.jinja_env.get_template("user/card.html").module
    return CardHtml(macros.picture(film), macros.words(film))
