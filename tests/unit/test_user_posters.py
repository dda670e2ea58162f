"""Drawn posters: readable, and different for neighbouring films."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from app.user.posters import PALETTES, SHAPES, poster
from app.web.assets import DIRECTORY

AA = 4.5  # WCAG 2.2, 1.4.3
SERIES = [
    [("The Godfather", 1972), ("The Godfather Part II", 1974), ("The Godfather Part III", 1990)],
    [("Kill Bill: Volume 1", 2003), ("Kill Bill: Volume 2", 2004)],
    [("Toy Story", 1995), ("Toy Story 2", 1999), ("Toy Story 3", 2010)],
]
STYLES = (DIRECTORY / "posters.css").read_text()


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, by WCAG."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", [palette for palettes in PALETTES for palette in palettes])
def test_every_palette_is_in_the_style_sheet_and_readable(palette: str) -> None:
    found = re.search(
        rf"\.palette-{palette} {{ --field: (#\w{{6}}); --figure: #\w{{6}}; --type: (#\w{{6}}); }}", STYLES
    )
    assert found
    dark, light = sorted(map(luminance, found.groups()))
    assert (light + 0.05) / (dark + 0.05) >= AA


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series[0][0])
def test_sequels_differ(series: list[tuple[str, int]]) -> None:
    looks = [poster({"title": title, "release_year": year, "genres": ["crime"]}) for title, year in series]
    assert len({look.shape for look in looks}) == len(looks)
    assert all(one.palette != other.palette for one, other in pairwise(looks[-2:]))


def test_films_of_one_genre_and_year_differ() -> None:
    films = [
        {"title": f"{word} Night", "release_year": 1999, "genres": ["drama"]} for word in ("Silent", "Long", "Blue")
    ]
    assert all(poster(one) != poster(other) for one, other in pairwise(films))


@pytest.mark.parametrize("film", [{"title": "M"}, {"title": "Ω 2", "release_year": None, "genres": ["unheard-of"]}])
def test_a_film_with_little_data_gets_a_poster(film: dict[str, object]) -> None:
    assert poster(film) == poster(film)
    assert 0 <= poster(film).shape < SHAPES
    assert f".palette-{poster(film).palette} " in STYLES
