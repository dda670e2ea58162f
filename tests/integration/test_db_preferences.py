"""Films by type, genre, actor and director: any of them, all of them to be met; nothing asked for finds nothing."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, person_id
from app.db.films import person_directory
from app.db.search import preferences

Raw = Database[dict[str, Any]]
Row = dict[str, Any]

# f001 is the worst, f006 the best.
FILMS: list[Row] = [
    {"title": "One", "genres": ["drama"]},
    {"title": "Two", "genres": ["drama", "war"]},
    {"title": "Three", "genres": ["comedy"]},
    {"title": "Four", "genres": ["drama"], "type": "SHOW"},
    {"title": "Five", "genres": ["war"]},
    {"title": "Six", "genres": ["drama", "comedy"]},
]
CREDITS = [
    ("Tom Hanks", "ACTOR", [1, 2, 4, 6]),
    ("Colin Hanks", "ACTOR", [3, 5]),
    ("Tom Hanks", "DIRECTOR", [1]),
    ("Ann Lee", "DIRECTOR", [2, 4]),
    ("Ang Lee", "DIRECTOR", [5]),
    ("Ann Writer", "WRITER", [6]),
]


@pytest.fixture
def library(database: Raw, add_films: Callable[..., None]) -> None:
    add_films(*({**film, "imdb_score": n, "imdb_votes": 1000} for n, film in enumerate(FILMS, 1)))
    items = [{"movie_id": f"f{film:03}", "name": name, "role": role} for name, role, films in CREDITS for film in films]
    counts, rejects = operations.insert_documents("credits", items)
    assert counts.inserted == len(items), rejects
    person_directory.refresh()


def found(**wanted: Any) -> list[int]:
    """The numbers of the films found, in their order."""
    return [int(film["_id"][1:]) for film in preferences.find(limit=500, **wanted).page.rows]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("wanted", "films"),
    [
        ({"kind": "SHOW"}, [4]),
        ({"genre": "drama"}, [6, 4, 2, 1]),
        ({"genre": "Drama"}, []),
        ({"kind": "MOVIE", "genre": "war"}, [5, 2]),
        ({"actor": "Tom Hanks"}, [6, 4, 2, 1]),
        ({"actor": "hanks"}, [6, 5, 4, 3, 2, 1]),
        ({"actor": "hanks", "director": "lee"}, [5, 4, 2]),
        ({"actor": "tom hanks", "director": "ann lee"}, [4, 2]),
        ({"actor": "tom hanks", "director": "ang lee"}, []),
        ({"actor": "tom hanks", "director": "tom hanks"}, [1]),
        ({"actor": person_id("Tom Hanks"), "genre": "drama", "kind": "MOVIE"}, [6, 2, 1]),
        ({"actor": "lee"}, []),  # directors only
        ({"director": "ann writer"}, []),
        ({"director": "an"}, [5, 4, 2]),  # the beginning of a name
        ({"actor": "nobody"}, []),
        ({"actor": "tom hanks", "director": "nobody"}, []),
        ({"genre": "drama", "actor": "", "director": "", "kind": ""}, [6, 4, 2, 1]),
    ],
)
def test_all_that_is_asked_for_is_met(wanted: Row, films: list[int]) -> None:
    assert found(**wanted) == films


@pytest.mark.usefixtures("library")
def test_every_combination_finds_what_all_of_its_parts_find() -> None:
    parts = {
        "kind": ("", "MOVIE", "SHOW"),
        "genre": ("", "drama", "war"),
        "actor": ("", "tom hanks", "hanks"),
        "director": ("", "lee", "tom hanks"),
    }
    alone = {(name, value): set(found(**{name: value})) for name, values in parts.items() for value in values if value}
    for values in product(*parts.values()):
        wanted = dict(zip(parts, values, strict=True))
        sets = [alone[part] for part in wanted.items() if part[1]]
        assert set(found(**wanted)) == (set.intersection(*sets) if sets else set()), wanted


@pytest.mark.usefixtures("library")
def test_the_best_three_and_then_the_others() -> None:
    first = preferences.find(actor="hanks")
    assert [film["title"] for film in first.page.rows] == ["Six", "Five", "Four"]
    assert (first.page.total, first.page.total_is_estimate) == (6, False)
    second = preferences.find(actor="hanks", after=first.page.next)
    assert [film["title"] for film in second.page.rows] == ["Three", "Two", "One"]
    assert second.page.next is None
    genre = preferences.find(genre="drama")
    assert (len(genre.page.rows), genre.page.total) == (3, None)
    assert [film["title"] for film in preferences.find(genre="drama", after=genre.page.next).page.rows] == ["One"]


@pytest.mark.usefixtures("library")
def test_who_was_taken_for_whom_is_said() -> None:
    result = preferences.find(actor="hanks", director=person_id("Ann Lee"))
    assert result.given
    assert result.actor is not None
    assert result.director is not None
    assert [person["name"] for person in result.actor.people] == ["Tom Hanks", "Colin Hanks"]
    assert [person["name"] for person in result.director.people] == ["Ann Lee"]
    assert (result.actor.text, result.actor.more) == ("hanks", False)
    nobodys = preferences.find(actor="nobody", director="lee").actor
    assert nobodys is not None
    assert (nobodys.text, nobodys.people) == ("nobody", [])
    assert preferences.find(genre="drama").actor is None
    director = preferences.find(director="hanks").director
    assert director is not None
    assert [person["name"] for person in director.people] == ["Tom Hanks"]  # Colin directed nothing


@pytest.mark.usefixtures("library")
def test_of_very_many_people_of_a_name_those_with_the_most_films_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "MAX_PEOPLE", 2)
    two = preferences.find(actor="hanks").actor
    assert two is not None
    assert (len(two.people), two.more) == (2, False)
    monkeypatch.setattr(preferences, "MAX_PEOPLE", 1)
    result = preferences.find(actor="hanks", limit=10)
    assert result.actor is not None
    assert ([person["name"] for person in result.actor.people], result.actor.more) == (["Tom Hanks"], True)
    assert len(result.page.rows) == 4


@pytest.mark.usefixtures("library")
def test_nothing_asked_for_is_said_and_finds_nothing() -> None:
    nothing_at_all: list[Row] = [{}, {"kind": "", "genre": "", "actor": "", "director": ""}]
    for nothing in nothing_at_all:
        result = preferences.find(**nothing)
        assert (result.given, result.page.rows) == (False, [])


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "FILM"},
        {"kind": {"$ne": None}},
        {"kind": ["MOVIE"]},
        {"genre": {"$ne": None}},
        {"genre": 5},
        {"genre": "x" * 201},
        {"actor": {"$ne": None}},
        {"actor": ["tom"]},
        {"director": "x" * 201},
        {"genre": "drama", "after": "nonsense"},
        {"genre": "drama", "limit": 0},
        {"limit": 501},
    ],
)
@pytest.mark.usefixtures("database")
def test_invalid_arguments_are_refused(wanted: Row) -> None:
    with pytest.raises(BadQuery):
        preferences.find(**wanted)


_texts = st.none() | st.text(max_size=210) | st.sampled_from(["tom", "lee", "drama", "MOVIE", "a b c"])


@pytest.mark.usefixtures("library")
@given(kind=_texts, genre=_texts, actor=_texts, director=_texts, after=st.none() | st.text(max_size=40))
def test_whatever_is_asked_for_is_found_or_refused(**wanted: Any) -> None:
    try:
        result = preferences.find(**wanted)
    except BadQuery:
        return
    assert result.given == any(wanted[name] for name in ("kind", "genre", "actor", "director"))
    assert len(result.page.rows) <= 3
