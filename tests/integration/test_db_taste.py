"""A user's taste, from a real database."""

from collections.abc import Callable

import pytest

from app.db import operations
from app.db.films import catalogue
from app.db.likes import likes, taste

AddFilms = Callable[..., None]


def like(user: str, *films: str) -> None:
    for film in films:
        likes.like(user, film)


def test_two_films_of_many_are_not_a_trait(add_films: AddFilms) -> None:
    """12 liked of 48: 2 westerns, 3 of the 1950s; 3 French and 4 of the 1960s, which says enough."""
    years = [1951] * 3 + [1961] * 4 + [1971, 1981, 1991, 2001, 2011] + [1941] * 36
    add_films(
        *(
            {
                "title": f"Film {n}",
                "genres": ["western"] if n < 3 else ["drama"],
                "production_countries": ["France"] if n < 4 else ["Spain"] if n < 6 else ["Italy"],
                "release_year": year,
            }
            for n, year in enumerate(years, 1)
        )
    )
    catalogue.refresh()
    like("ann", *(f"f{number:03}" for number in range(1, 13)))
    profile = taste.profile("ann")
    assert profile is not None
    assert profile.genres == []
    assert [trait.name for trait in profile.decades] == ["1960"]
    assert [trait.name for trait in profile.countries] == ["France"]


def test_a_little_more_than_in_the_library_is_not_a_trait(add_films: AddFilms) -> None:
    """All 5 are dramas, of the library 9 of 10: 1.1 times as frequent."""
    add_films(*({"title": f"Film {n}", "genres": ["drama"] if n < 10 else ["war"]} for n in range(1, 11)))
    catalogue.refresh()
    like("ann", *(f"f{number:03}" for number in range(1, 6)))
    profile = taste.profile("ann")
    assert profile is not None
    assert profile.genres == []


def test_taste_ignores_deleted_films(add_films: AddFilms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taste, "PROFILE", 2)
    add_films("Film 1")
    like("ann", "f001", "gone1", "gone2", "gone3")
    profile = taste.profile("ann")
    assert profile is not None
    assert profile.films == 1


def test_a_person_is_named_once_for_what_they_are_known_for(add_films: AddFilms) -> None:
    """The director is seen in each film, the actor directed one; of equals the best known come first."""
    add_films(*(f"Film {n}" for n in range(1, 6)))
    parts = [("Jane Director", "DIRECTOR", [1, 2]), ("Jane Director", "ACTOR", [1, 2]), ("Jack Actor", "DIRECTOR", [3])]
    parts += [("Jack Actor", "ACTOR", [1, 2, 3, 4]), ("Al Bit", "ACTOR", [3, 4]), ("Zoe Star", "ACTOR", [3, 4, 5])]
    for name, role, films in parts:
        for film in films:
            operations.insert_credit({"movie_id": f"f{film:03}", "name": name, "role": role})
    like("ann", "f001", "f002", "f003", "f004")
    profile = taste.profile("ann")
    assert profile is not None
    assert profile.directors == [taste.Trait("Jane Director", 2)]
    assert profile.actors == [taste.Trait("Jack Actor", 4), taste.Trait("Zoe Star", 2), taste.Trait("Al Bit", 2)]
