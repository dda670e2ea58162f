"""The catalogue by rating, narrowed, with films excluded; and the values to choose from."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery
from app.db.films import catalogue

Raw = Database[dict[str, Any]]
Row = dict[str, Any]

GENRES = ("drama", "war", "comedy")
FILMS: list[Row] = [
    {
        "title": f"Film {n}",
        "type": "SHOW" if n % 5 == 0 else "MOVIE",
        "genres": [genre for place, genre in enumerate(GENRES) if n % (place + 1) == 0],
        "production_countries": ["France"] if n % 2 else ["France", "Sweden"],
        "release_year": 1988 + n % 4,  # two decades
        "imdb_score": n % 3,  # many of one score
        "imdb_votes": 1000,
        "description": "Not for cards.",
    }
    for n in range(1, 25)
]


@pytest.fixture
def films(database: Raw, add_films: Callable[..., None]) -> list[Row]:
    """All films, best first; one without a year, genres and countries among them."""
    add_films(*FILMS, {"title": "Bare"})
    catalogue.refresh()
    return list(database.movies.find().sort([("ranking_score", -1), ("_id", -1)]))


def pages(limit: int, **narrow: Any) -> Iterator[list[Row]]:
    after = None
    while True:
        page = catalogue.page(limit=limit, after=after, **narrow)
        yield page.rows
        if (after := page.next) is None:
            return


def listed(limit: int, **narrow: Any) -> list[str]:
    return [film["_id"] for rows in pages(limit, **narrow) for film in rows]


@pytest.mark.parametrize(("genre", "decade"), list(product((None, "drama", "comedy"), (None, 1980, 1990))))
@pytest.mark.parametrize("rarer", ["genre", "decade"])
def test_pages_hold_all_films_of_a_genre_and_a_decade_best_first(
    films: list[Row], database: Raw, genre: str | None, decade: int | None, rarer: str
) -> None:
    """Whichever of the two lists is gone down."""
    many = {"decade": "genres", "genre": "decade"}[rarer]
    database.catalogue_values.update_one({"_id": many}, {"$inc": {"values.$[].films": 1000}})
    expected = [
        film["_id"]
        for film in films
        if (genre is None or genre in film.get("genres", []))
        and (decade is None or decade <= film.get("release_year", 0) < decade + 10)
    ]
    assert len(expected) > 2
    assert listed(2, genre=genre, decade=decade) == expected
    left_out = frozenset(expected[1::3])
    remaining = [film for film in expected if film not in left_out]
    assert listed(2, genre=genre, decade=decade, exclude=left_out) == remaining
    assert listed(500, genre=genre, decade=decade, exclude=frozenset({"nothing"})) == expected


def test_a_row_is_what_a_card_shows(films: list[Row]) -> None:
    (rows,) = pages(500)
    assert len(rows) == len(films)
    assert rows[0] == {name: films[0][name] for name in catalogue.CARD_FIELDS if name in films[0]}
    assert "description" not in rows[0]


@pytest.mark.usefixtures("films")
def test_a_genre_or_decade_without_films_is_empty() -> None:
    assert listed(2, genre="western") == listed(2, decade=1870) == listed(2, genre="western", decade=1990) == []


@pytest.mark.usefixtures("films")
def test_the_films_of_each_value_are_counted() -> None:
    counted = catalogue.choices()
    assert counted.kinds == [("MOVIE", 21), ("SHOW", 4)]
    assert counted.genres == [("drama", 24), ("war", 12), ("comedy", 8)]
    assert counted.decades == [(1990, 12), (1980, 12)]
    assert counted.countries == [("France", 24), ("Sweden", 12)]
    assert (catalogue.genres(), catalogue.decades()) == (counted.genres, counted.decades)


def test_unused_values_disappear_with_the_next_count(films: list[Row], database: Raw) -> None:
    catalogue.refresh()
    assert catalogue.refresh() == 0
    database.movies.update_many({}, {"$pull": {"genres": "war"}})
    assert catalogue.refresh() == 1
    assert catalogue.genres() == [("drama", 24), ("comedy", 8)]
    database.movies.delete_many({})
    assert catalogue.refresh() == 4
    assert catalogue.choices() == catalogue.Choices([], [], [], [])


@pytest.mark.usefixtures("database")
def test_only_values_with_the_most_films_are_kept(
    add_films: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "MAX_VALUES", 2)
    add_films(*({"title": "A", "genres": genres} for genres in (["a", "b"], ["b", "c"], ["c"])))
    catalogue.refresh()
    assert catalogue.genres() == [("b", 2), ("c", 2)]


@pytest.mark.usefixtures("films")
def test_a_new_films_values_can_be_chosen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalogue.choices()
    film = {"title": "New", "type": "MOVIE", "genres": ["drama", "western"], "release_year": 2001}
    written = operations.find_document("movies", operations.insert_one("movies", film))
    catalogue.note([written])
    with monkeypatch.context() as at_once:  # somebody else read the values before
        at_once.setattr(catalogue, "choices", lambda: before)
        catalogue.note([written])
    after = catalogue.choices()
    assert after.genres == [*before.genres, ("western", 1)]
    assert after.decades == [(2000, 1), *before.decades]
    assert (after.kinds, after.countries) == (before.kinds, before.countries)


@pytest.mark.usefixtures("database")
def test_the_first_films_values_can_be_chosen() -> None:
    assert catalogue.choices() == catalogue.Choices([], [], [], [])
    catalogue.note([{"type": "SHOW", "genres": ["drama"], "production_countries": None}])
    assert catalogue.choices() == catalogue.Choices([("SHOW", 1)], [("drama", 1)], [], [])


@pytest.mark.parametrize(
    "narrow",
    [
        {"genre": ""},
        {"genre": 5},
        {"genre": {"$ne": None}},
        {"genre": ["drama"]},
        {"genre": "x" * 201},
        {"decade": 1994},
        {"decade": "1990"},
        {"decade": True},
        {"decade": 1990.0},
        {"decade": {"$gt": 0}},
        {"decade": 1860},
        {"decade": 10**30},
        {"exclude": frozenset(["x" * 65])},
        {"exclude": frozenset([5])},
        {"exclude": frozenset(map(str, range(10_001)))},
        {"after": "nonsense"},
        {"after": "nonsense", "genre": "drama", "decade": 1990},
        {"limit": 0},
        {"limit": 501},
    ],
)
@pytest.mark.usefixtures("database")
def test_invalid_arguments_are_refused(narrow: Row) -> None:
    with pytest.raises(BadQuery):
        catalogue.page(**narrow)
