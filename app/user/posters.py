"""Film posters: stored images, and for films without one a poster drawn from type, colour and a shape.

A film always gets the same poster: the colours come from its first genre, the shape from its title and year. Both are
classes in posters.css, so that pages need neither an image nor inline styles.
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
# Colours that suit each genre, in the spellings of the sample and the Netflix data set.
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
# Longest title (characters) for each type size.
_SIZES = ((10, "xl"), (18, "l"), (32, "m"), (56, "s"))


class Poster(NamedTuple):
    """The CSS classes of a drawn poster."""

    palette: str
    turned: bool
    shape: int
    size: str


@blueprint.get(ADDRESS)
def show(film_id: str, version: str, size: str) -> Response:
    """A film's poster image."""
    return poster_response(film_id, version, size)


@blueprint.app_template_global()
def poster(film: dict[str, Any]) -> Poster:
    """The drawn poster for a film's title, first genre and year."""
    title = film["title"]
    genre = next(iter(film.get("genres") or []), "").lower()
    palettes = _PALETTES_OF.get(genre, _ALL_PALETTES)
    palette = palettes[sum(title.encode()) % len(palettes)]  # parts 1 and 2, or II and III, never look the same
    size = next((name for longest, name in _SIZES if len(title) <= longest), "xs")
    longest_word = max((len(word) for word in title.split()), default=0)
    if longest_word > 10 and size in {"xl", "l"}:
        size = "m"  # long words don't wrap
    turned = bool(zlib.crc32(title.encode()) & 1)
    return Poster(palette, turned, _shape(title, film.get("release_year") or 0), size)


def _shape(title: str, year: int) -> int:
    """Sequels mostly share a word and are listed side by side, so each year gets the next shape."""
    word = _LONG_WORD.search(title)
    return (zlib.crc32((word[0] if word else title).encode()) + year) % SHAPES
