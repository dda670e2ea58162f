"""The catalogue: all films by rating, narrowed by genre and decade, and the values to choose from.

Counting the films of every genre reads all of them, so `catalogue_values` keeps the counts, one document per field:
{_id: field, values: [{value, films}, ...]}. A load recounts; a single film only adds its new values.
"""

from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from app.db.core import (
    MAX_ID,
    MAX_NAME,
    MOVIE_TYPES,
    BadQuery,
    Order,
    Page,
    Row,
    driver_errors,
    fetch_page,
    get_collection,
    time_limit,
)

NAME = "catalogue_values"
INDEXES: dict[str, list[IndexModel]] = {}

# What a film's card shows.
CARD_FIELDS = (
    "_id",
    "title",
    "type",
    "release_year",
    "genres",
    "imdb_score",
    "critics_score",
    "tmdb_score",
    "ranking_score",
    "poster",
)
CARD = dict.fromkeys(CARD_FIELDS, 1)
BY_RANK = Order("ranking_score", descending=True)

_BY_GENRE = "genres_1_ranking_score_-1__id_-1"
_BY_YEAR = "release_year_1_ranking_score_-1__id_-1"

DECADE = 10  # years
FIRST_DECADE, LAST_DECADE = 1870, 2200  # of the years that a film may have
MAX_EXCLUDED = 10_000  # films
MAX_VALUES = 500  # kept of a field, most films first: far more than anybody reads
REFRESH_TIMEOUT_S = 600.0

# Field of the document in NAME -> a film's value or values, as an aggregation expression.
_EXPRESSIONS: dict[str, Any] = {
    "type": "$type",
    "genres": "$genres",
    "decade": {"$subtract": ["$release_year", {"$mod": ["$release_year", DECADE]}]},
    "production_countries": "$production_countries",
}

Counts = list[tuple[Any, int]]
"""Values of a field, each with its number of films."""


@dataclass(frozen=True)
class Choices:
    """The values to narrow by, with the numbers of films at the last count."""

    kinds: Counts  # by name
    genres: Counts  # most films first, ties by name
    decades: Counts  # first years, the latest first
    countries: Counts  # as genres


@driver_errors()
def page(
    *,
    genre: str | None = None,
    decade: int | None = None,
    exclude: Set[str] = frozenset(),
    after: str | None = None,
    limit: int = 24,
) -> Page:
    """Films by rating, best first, as CARD_FIELDS, without the ids in `exclude`.

    `decade` is its first year. The films aren't counted: `total` is known only when everything fits on this page.
    Raises BadQuery for an invalid genre, decade, cursor or limit, and for too many ids.
    """
    query = film_query(genre=genre, decade=decade)
    if len(exclude) > MAX_EXCLUDED or not all(isinstance(film, str) and len(film) <= MAX_ID for film in exclude):
        raise BadQuery(f"at most {MAX_EXCLUDED} films are left out")
    if exclude:
        query["_id"] = {"$nin": sorted(exclude)}
    hint = _rarer(genre, decade) if genre is not None and decade is not None else None
    if hint == _BY_YEAR and after is not None and (score := BY_RANK.decode(after).value) is not None:
        query["ranking_score"] = {"$not": {"$gt": score}}  # otherwise each page would scan the years from the start
    return fetch_page("movies", query, BY_RANK, after=after, limit=limit, projection=CARD, hint=hint, counted=False)


def _rarer(genre: str, decade: int) -> str:
    """The index with the shorter list. MongoDB's own choice took up to 50 times as long."""
    known = choices()
    return _BY_GENRE if dict(known.genres).get(genre, 0) <= dict(known.decades).get(decade, 0) else _BY_YEAR


def film_query(*, kind: str | None = None, genre: str | None = None, decade: int | None = None) -> Row:
    """The query for films that match all values given. Raises BadQuery for an invalid value."""
    query: Row = {}
    if kind is not None:
        if kind not in MOVIE_TYPES:
            raise BadQuery(f"kind must be one of {', '.join(MOVIE_TYPES)}")
        query["type"] = kind
    if genre is not None:
        if not isinstance(genre, str) or not 1 <= len(genre) <= MAX_NAME:
            raise BadQuery(f"a genre is a name of at most {MAX_NAME} characters")
        query["genres"] = genre
    if decade is not None:
        if type(decade) is not int or decade % DECADE or not FIRST_DECADE <= decade <= LAST_DECADE:
            raise BadQuery("a decade is a year that ends in 0")
        # Single years, not a range: the index has each year's films by rank, and MongoDB merges these lists.
        query["release_year"] = {"$in": list(range(decade, decade + DECADE))}
    return query


# -- the values to choose from


@driver_errors()
def choices() -> Choices:
    """All values, in one round trip."""
    return _choices(list(get_collection(NAME).find()))


def genres() -> Counts:
    """All genres, most films first."""
    return _one("genres").genres


def decades() -> Counts:
    """The first years of all decades, latest first."""
    return _one("decade").decades


@driver_errors()
def refresh() -> int:
    """Recount the films of each value; returns how many fields changed. Call it after loads.

    One pass over all films per field; readers see a field's old counts until the new ones replace them.
    """
    changed = 0
    with time_limit(REFRESH_TIMEOUT_S):
        for field, expression in _EXPRESSIONS.items():
            values = {"$set": {"values": _count(expression)}}  # a replacement would count as a change in any case
            result = get_collection(NAME).update_one({"_id": field}, values, upsert=True)
            changed += result.modified_count or result.upserted_id is not None
    return changed


@driver_errors()
def note(films: Iterable[Row]) -> None:
    """Add the values of films that were just written. `refresh` counts them."""
    known = choices()
    there = {"type": known.kinds, "genres": known.genres, "decade": known.decades}
    there["production_countries"] = known.countries
    written: dict[str, set[Any]] = {field: set() for field in there}
    for film in films:
        year = film.get("release_year")
        written["type"].add(film.get("type"))
        written["genres"].update(film.get("genres") or [])
        written["decade"].add(year and year - year % DECADE)
        written["production_countries"].update(film.get("production_countries") or [])
    for field, values in written.items():
        for value in values - {None} - {value for value, _ in there[field]}:
            new = {"_id": field, "values.value": {"$ne": value}}
            with suppress(DuplicateKeyError):  # somebody else has added it
                push = {"$push": {"values": {"value": value, "films": 1}}}
                get_collection(NAME).update_one(new, push, upsert=True)


def _one(field: str) -> Choices:
    with driver_errors():
        return _choices(list(get_collection(NAME).find({"_id": field})))


def _choices(documents: list[Row]) -> Choices:
    counts = {row["_id"]: [(item["value"], item["films"]) for item in row["values"]] for row in documents}
    return Choices(
        kinds=sorted(counts.get("type", [])),
        genres=sorted(counts.get("genres", []), key=_most_films),
        decades=sorted(counts.get("decade", []), reverse=True),
        countries=sorted(counts.get("production_countries", []), key=_most_films),
    )


def _most_films(pair: tuple[Any, int]) -> tuple[int, str]:
    return -pair[1], str(pair[0])


def _count(expression: Any) -> list[Row]:
    """{value, films} for each value of an expression; each item of a list counts."""
    stages: list[Row] = [
        {"$project": {"_id": 0, "value": expression}},
        {"$unwind": "$value"},
        {"$group": {"_id": "$value", "films": {"$sum": 1}}},
        {"$sort": {"films": -1, "_id": 1}},
        {"$limit": MAX_VALUES},
    ]
    return [{"value": row["_id"], "films": row["films"]} for row in get_collection("movies").aggregate(stages)]
