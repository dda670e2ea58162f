"""Films' posters: their pictures, and posters made of type, colour and a shape for films that have none.

The same film always gets the same one: the colours come from its first genre, the shape from its title. They are
classes of the style sheet `posters.css`, so that a page needs neither an image nor an inline style.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from flask import Blueprint
from werkzeug.wrappers import Response

from app.web.posters import ADDRESS, poster_response

blueprint = Blueprint("posters", __name__)

SHAPES = 10
# Genres in the spellings of the sample and of the Netflix data set; colours that suit the mood.
PALETTES = {
    "crimson": ("action", "war", "western"),
    "amber": ("adventure", "history", "biography"),
    "coral": ("comedy", "family", "music", "musical"),
    "night": ("crime", "film-noir", "thriller", "mystery"),
    "forest": ("documentary", "documentation", "news", "sport"),
    "plum": ("drama", "european"),
    "violet": ("fantasy", "animation", "short"),
    "blood": ("horror",),
    "rose": ("romance",),
    "teal": ("sci-fi", "scifi", "reality", "talk-show", "adult"),
}
_PALETTE_OF = {genre: palette for palette, genres in PALETTES.items() for genre in genres}
# Longest title (characters) for each size of type.
_SIZES = ((10, "xl"), (18, "l"), (32, "m"), (56, "s"))


class Poster(NamedTuple):
    """Names of style sheet classes, and the words to set."""

    palette: str
    shape: int
    size: str


@blueprint.get(ADDRESS)
def show(film_id: str, version: str, size: str) -> Response:
    """A film's picture."""
    return poster_response(film_id, version, size)


@blueprint.app_template_global()
def poster(film: dict[str, Any]) -> Poster:
    """The look of a film's poster, by its title, first genre and year."""
    title = film["title"]
    genre = next(iter(film.get("genres") or []), "").lower()
    seed = zlib.crc32(f"{title} {film.get('release_year')}".encode())
    palette = _PALETTE_OF.get(genre) or list(PALETTES)[seed % len(PALETTES)]
    size = next((name for longest, name in _SIZES if len(title) <= longest), "xs")
    longest_word = max((len(word) for word in title.split()), default=0)
    if longest_word > 10 and size in {"xl", "l"}:
        size = "m"  # a long word can't be broken into lines
    return Poster(palette, seed // 7 % SHAPES, size)
