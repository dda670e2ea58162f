"""Films' posters: their pictures, and posters made of type, colour and a shape for films that have none.

The same film always gets the same one: the colours come from its first genre, the shape from its title and year. They
are classes of the style sheet `posters.css`, so that a page needs neither an image nor an inline style.
"""

from __future__ import annotations

import re
import zlib
from typing import Any, NamedTuple

from flask import Blueprint
from werkzeug.wrappers import Response

from app.web.posters import ADDRESS, poster_response

blueprint = Blueprint("posters", __name__)

SHAPES = 10
# Colours that suit the mood of genres, in the spellings of the sample and of the Netflix data set.
PALETTES = {
    ("crimson", "rust"): ("action", "war", "western"),
    ("amber", "sand"): ("adventure", "history", "biography"),
    ("coral", "sky"): ("comedy", "family", "music", "musical"),
    ("night", "slate"): ("crime", "film-noir", "thriller", "mystery"),
    ("forest", "moss"): ("documentary", "documentation", "news", "sport"),
    ("plum", "dusk", "clay"): ("drama", "european"),
    ("violet", "lilac"): ("fantasy", "animation", "short"),
    ("blood", "ember"): ("horror",),
    ("rose", "berry"): ("romance",),
    ("teal", "neon"): ("sci-fi", "scifi", "reality", "talk-show", "adult"),
}
_PALETTES_OF = {genre: palettes for palettes, genres in PALETTES.items() for genre in genres}
_ALL_PALETTES = tuple(palette for palettes in PALETTES for palette in palettes)
_LONG_WORD = re.compile(r"\w{4,}")
# Longest title (characters) for each size of type.
_SIZES = ((10, "xl"), (18, "l"), (32, "m"), (56, "s"))


class Poster(NamedTuple):
    """Names of style sheet classes, and the words to set."""

    palette: str
    turned: bool
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
    palettes = _PALETTES_OF.get(genre, _ALL_PALETTES)
    palette = palettes[sum(title.encode()) % len(palettes)]  # parts 1 and 2, or II and III, never get the same
    size = next((name for longest, name in _SIZES if len(title) <= longest), "xs")
    longest_word = max((len(word) for word in title.split()), default=0)
    if longest_word > 10 and size in {"xl", "l"}:
        size = "m"  # a long word can't be broken into lines
    turned = bool(zlib.crc32(title.encode()) & 1)
    return Poster(palette, turned, _shape(title, film.get("release_year") or 0), size)


def _shape(title: str, year: int) -> int:
    """Films of a series mostly share a word and stand beside each other: with each year comes the next shape."""
    word = _LONG_WORD.search(title)
    return (zlib.crc32((word[0] if word else title).encode()) + year) % SHAPES
