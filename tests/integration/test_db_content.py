"""Recommendations by content, from real credits: quality, variety and reasons."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from app.db import operations
from app.db.core import CREDIT_ROLES
from app.db.films import person_directory, ranking
from app.db.likes import likes, recommendations, similar_films

Raw = Database[dict[str, Any]]
AddFilms = Callable[..., None]


def like(user: str, *films: str) -> None:
    for film in films:
        likes.like(user, film)


def recommended(user: str, limit: int = 24) -> dict[str, recommendations.Reason]:
    return {found.film["_id"]: found.reason for found in recommendations.for_user(user, limit)}


def add_credits(database: Raw, *credits: tuple[int, str, str]) -> None:
    """(number of the film, name, role) each; the person's id is the name."""
    if credits:
        database.credits.insert_many(
            {"movie_id": f"f{film:03}", "person_id": name, "name": name, "role": role} for film, name, role in credits
        )


def test_with_one_like_in_a_new_library_the_best_lead_and_content_is_mixed_in_from_the_mean_on(
    add_films: AddFilms, database: Raw
) -> None:
    """Without neighbours. f001 to f010 are one director's, the last two of them bad; the others are anybody's."""
    scores = [9.0] + [7.0] * 7 + [2.0] * 2 + [6.0] * 20
    add_films(*({"title": f"Film {n}", "imdb_score": score, "imdb_votes": 100} for n, score in enumerate(scores, 1)))
    ranking.recompute()
    add_credits(database, *((n, "Jane Director", "DIRECTOR") for n in range(1, 11)))
    like("ann", "f001")
    found = recommended("ann", limit=9)
    kinds = [reason.kind for reason in found.values()]
    assert kinds == ["best", "best", "director"] * 2 + ["best"] * 3, "the director's no more than twice"
    like("ann", "f011", "f012")
    like("ann", "f009")
    assert [film for film, reason in recommended("ann").items() if reason.kind == "director"] == ["f002", "f003"]
    database.movies.delete_many({"_id": {"$gte": "f002", "$lte": "f008"}})
    assert {reason.kind for reason in recommended("ann").values()} == {"best"}, "f010 is below the library's mean"


def test_what_nobody_rated_is_not_good_enough(add_films: AddFilms, database: Raw) -> None:
    """f005 has the mean of all. Where nothing is better, as in a library without ratings, it is as good as any."""
    rated = [{"imdb_score": score, "imdb_votes": 100} for score in (9.0, 5.0, 7.0, 8.0)]
    add_films(*({"title": "A film", **score} for score in [*rated, {}]))
    ranking.recompute()
    add_credits(database, *((n, "Jane Director", "DIRECTOR") for n in range(1, 6)))
    like("ann", "f001", "f002", "f003")
    assert {film: reason.kind for film, reason in recommended("ann").items()} == {"f004": "director", "f005": "best"}
    database.movies.delete_one({"_id": "f004"})
    assert {film: reason.kind for film, reason in recommended("ann").items()} == {"f005": "director"}


@pytest.fixture
def four_careers(add_films: AddFilms, database: Raw) -> None:
    """f001 to f004, each with a director of 9 further films, an actor of 4 and a genre of one."""
    genres = ["western", "musical", "war", "crime"]
    own = {*range(1, 5), *range(57, 61)}
    add_films(*({"title": f"Film {n}", "genres": [genres[n % 4]] if n in own else ["drama"]} for n in range(1, 61)))
    add_credits(database, *((n, f"Director {n % 4}", "DIRECTOR") for n in range(1, 41)))
    add_credits(database, *((n, f"Actor {n % 4}", "ACTOR") for n in (1, 2, 3, 4, *range(41, 57))))


@pytest.mark.usefixtures("four_careers")
def test_no_person_and_no_kind_of_reason_fills_the_page() -> None:
    like("ann", "f001", "f002", "f003", "f004")
    reasons = list(recommended("ann", limit=12).values())
    people = Counter(reason.name for reason in reasons if reason.kind in {"director", "cast"})
    assert max(people.values()) <= recommendations.MOST_OF_PERSON
    assert {reason.kind for reason in reasons} == {"director", "cast", "genre"}
    assert max(Counter(reason.titles for reason in reasons).values()) <= 3


@pytest.mark.usefixtures("four_careers")
def test_films_like_one_are_of_several_kinds() -> None:
    film = operations.find_document("movies", "f001")
    found = similar_films.films(film, limit=7)
    shared = similar_films.traits([film, *found]).features
    directed = [row["_id"] for row in found if shared[row["_id"]].directors & shared["f001"].directors]
    played = [row["_id"] for row in found if shared[row["_id"]].actors & shared["f001"].actors]
    assert (len(found), len(directed)) == (7, similar_films.MOST_OF_PERSON)
    assert played
    assert len(directed) + len(played) < 7


def test_of_several_people_in_common_the_one_with_the_most_films_is_named(add_films: AddFilms, database: Raw) -> None:
    add_films(*(f"Film {number}" for number in range(1, 6)))
    casts = {1: "ABC", 2: "ABC", 3: "B", 4: "BC", 5: "B"}
    add_credits(database, *((film, f"Actor {one}", "ACTOR") for film, people in casts.items() for one in people))
    person_directory.refresh()
    like("ann", "f001")
    assert recommended("ann")["f002"] == recommendations.Reason("cast", ("Film 1",), "Actor B")


def test_a_writer_in_common_is_named_as_such(add_films: AddFilms, database: Raw) -> None:
    add_films("The First", "The Second")
    add_credits(database, (1, "Will Writer", "WRITER"), (2, "Will Writer", "WRITER"))
    like("ann", "f001")
    assert recommended("ann")["f002"] == recommendations.Reason("writer", ("The First",), "Will Writer")


NAMES = st.sets(st.sampled_from("abc"), max_size=2)
FILM = st.fixed_dictionaries({"genres": NAMES, **dict.fromkeys(CREDIT_ROLES, NAMES)})


@settings(
    max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    films=st.lists(FILM, min_size=3, max_size=6),
    likes=st.integers(1, 3),
)
def test_a_reason_names_what_both_films_have(
    add_films: AddFilms, database: Raw, films: list[dict[str, set[str]]], likes: int
) -> None:
    for collection in ("movies", "credits", "user_interactions"):
        database[collection].delete_many({})
    add_films(
        *(
            {"title": str(n), "genres": sorted(film["genres"]), "production_countries": ["France"]}
            for n, film in enumerate(films, 1)
        )
    )
    add_credits(
        database,
        *((n, name, role) for n, film in enumerate(films, 1) for role in CREDIT_ROLES for name in sorted(film[role])),
    )
    like("ann", *(f"f{number:03}" for number in range(1, likes + 1)))
    fields = {"director": "DIRECTOR", "writer": "WRITER", "cast": "ACTOR", "genre": "genres"}
    for recommendation in recommendations.for_user("ann"):
        reason = recommendation.reason
        if reason.kind in fields:
            for film in (recommendation.film["title"], *reason.titles):
                assert reason.name in films[int(film) - 1][fields[reason.kind]]
