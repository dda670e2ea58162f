"""Facets: the numbers of a search's films by type, genre, decade and country."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.db.core import Row, driver_errors
from app.db.films import DECADE
from app.db.search.film_search import ANY, Search
from app.db.search.planning import Narrow

# Films: counting 300,000 takes 350 ms. People only look through the best ones.
MAX_COUNTED = 2_000
SHOWN = {"_id": 0, "type": 1, "genres": 1, "release_year": 1, "production_countries": 1}

Counts = list[tuple[Any, int]]
"""Values, each with its number of films: most films first."""


@dataclass(frozen=True)
class Facets:
    """The values among the best `counted` films; `complete` when there are no more. `decades` are their first years."""

    kinds: Counts
    genres: Counts
    decades: Counts
    countries: Counts
    counted: int
    complete: bool


@driver_errors()
def count(text: str, narrow: Narrow = ANY) -> Facets:
    """Count the best films that `search_movies` finds, at most MAX_COUNTED. Raises what that raises."""
    found = Search(text, narrow).best(MAX_COUNTED + 1, SHOWN)
    films = [one.film for one in found[:MAX_COUNTED]]
    years = [film["release_year"] for film in films if film.get("release_year") is not None]
    return Facets(
        kinds=_counts(film["type"] for film in films),
        genres=_counts(genre for film in films for genre in _list(film, "genres")),
        decades=_counts(year - year % DECADE for year in years),
        countries=_counts(country for film in films for country in _list(film, "production_countries")),
        counted=len(films),
        complete=len(found) <= MAX_COUNTED,
    )


def _list(film: Row, field: str) -> set[Any]:
    """The values of a film, each once."""
    return set(film.get(field) or ())


def _counts(values: Iterable[Any]) -> Counts:
    """By films, ties by value: the same ones in the same order every time."""
    return sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
