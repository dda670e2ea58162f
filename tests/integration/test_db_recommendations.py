"""Recommendations out of a real database: what is recommended, whether its reason is true, and how it is renewed."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, get_collection, now
from app.db.films import catalogue, ranking
from app.db.likes import learning, likes, neighbour_lists, recommendations, similar_films, taste
from app.db.likes.neighbour_lists import Busy
from app.recommender.neighbours import neighbours as compute

Raw = Database[dict[str, Any]]
AddFilms = Callable[..., None]


def learn(*, force: bool = False) -> learning.Learned | None:
    with neighbour_lists.alone() as writer:
        return learning.learn(writer, lambda what, expected: lambda done: None, force=force)


def like(user: str, *films: str) -> None:
    for film in films:
        likes.like(user, film)


def crowd(films: tuple[str, ...], name: str, people: int = 6) -> None:
    """So many people who like all of these films."""
    for number in range(people):
        like(f"{name}{number}", *films)


@pytest.fixture
def two_tastes(add_films: AddFilms) -> None:
    """f001 to f004 are liked together, and so are f005 to f008; f009 is liked by nobody, f010 by everybody."""
    genres = ["western"] * 4 + ["musical"] * 4 + ["western", "war"]
    scores = [5.0] * 8 + [9.0, 6.0]
    add_films(
        *(
            {"title": f"Film {n}", "genres": [genre], "imdb_score": score, "imdb_votes": 100, "release_year": 1950 + n}
            for n, (genre, score) in enumerate(zip(genres, scores, strict=True), 1)
        )
    )
    crowd(("f001", "f002", "f003", "f004", "f010"), "west")
    crowd(("f005", "f006", "f007", "f008", "f010"), "song")
    assert learn() == learning.Learned(likes=60, users=12, films=9)


def recommended(user: str, limit: int = 24) -> dict[str, recommendations.Reason]:
    return {found.film["_id"]: found.reason for found in recommendations.for_user(user, limit)}


def test_films_that_people_of_ones_taste_like_come_first_and_say_so(two_tastes: None) -> None:
    like("ann", "f001", "f002")
    found = recommended("ann")
    assert {"f003", "f004"} < set(list(found)[:3])
    assert found["f003"].kind == "liked"
    assert set(found["f003"].titles) == {"Film 1", "Film 2"}
    assert not {"f001", "f002"} & set(found)
    assert list(found).index("f003") < list(found).index("f005")


def test_of_two_liked_films_the_one_with_the_same_genres_is_the_reason(two_tastes: None) -> None:
    """As many people like f010 with the one as with the other."""
    like("ann", "f001", "f005")
    for genre, titles in (("western", ("Film 1", "Film 5")), ("musical", ("Film 5", "Film 1"))):
        operations.update_document("movies", "f010", {"genres": [genre]})
        assert learn() is not None
        assert recommended("ann")["f010"] == recommendations.Reason("liked", titles)


def test_a_film_that_nobody_likes_is_reached_by_what_it_is(two_tastes: None) -> None:
    like("ann", "f001")
    reason = recommended("ann", limit=5)["f009"]
    assert (reason.kind, reason.titles, reason.name) == ("genre", ("Film 1",), "western")


def test_what_only_many_likes_speak_for_is_popular_and_names_no_film(two_tastes: None) -> None:
    like("ann", "f009")
    reason = recommended("ann")["f010"]
    assert (reason.kind, reason.titles) == ("popular", ())


def test_there_are_always_as_many_as_there_are_films_left(two_tastes: None, database: Raw) -> None:
    database.neighbours.delete_many({})
    like("ann", "f010")
    found = recommended("ann")
    assert set(found) == {f"f{n:03}" for n in range(1, 10)}
    assert {reason.kind for reason in found.values()} == {"best"}


def test_a_newcomer_gets_the_best_of_each_genre(two_tastes: None) -> None:
    found = recommendations.for_newcomer(3)
    assert [one.film["_id"] for one in found] == ["f009", "f010", "f008"]
    assert [one.reason.name for one in found] == ["western", "war", "musical"]
    assert recommendations.for_user("nobody", 3) == found
    with pytest.raises(BadQuery):
        recommendations.for_newcomer(0)


def test_the_genre_that_is_named_is_one_that_the_card_shows(add_films: AddFilms) -> None:
    genres = ["drama", "war", "crime", "western"]
    add_films(*({"title": "A film", "genres": own} for own in (genres, genres[:3])))
    assert [one.reason.name for one in recommendations.for_newcomer(2)] == ["drama", ""]


def test_an_empty_library_recommends_nothing(database: Raw) -> None:
    like("ann", "gone")
    assert recommendations.for_user("ann") == []
    assert recommendations.for_newcomer() == []
    assert taste.profile("ann") is None
    assert learn() == learning.Learned(likes=1, users=1, films=0)
    assert recommendations.for_user("ann") == []


@pytest.mark.usefixtures("two_tastes")
def test_a_film_deleted_since_is_not_recommended() -> None:
    like("ann", "f001")
    operations.delete_document("movies", "f003", cascade=True)
    assert "f003" not in recommended("ann")
    assert "f003" not in [film["_id"] for film in similar_films.films({"_id": "f001", "genres": ["western"]})]


@pytest.mark.usefixtures("two_tastes")
def test_similar_films_are_those_liked_together_then_those_of_a_kind() -> None:
    film = operations.find_document("movies", "f001")
    alike = [row["_id"] for row in similar_films.films(film)]
    assert set(alike[:3]) == {"f002", "f003", "f004"}
    assert "f009" in alike[3:]
    assert "f001" not in alike
    assert not {"f005", "f006"} & set(alike)
    assert set(similar_films.films(film, limit=1)[0]) <= {*catalogue.CARD_FIELDS, "production_countries"}


def test_people_in_common_lead_to_films_and_are_named(add_films: AddFilms) -> None:
    add_films("The First", "The Second", "The Third", "The Fourth")
    for film, person, role in (
        ("f001", "Jane Director", "DIRECTOR"),
        ("f002", "Jane Director", "DIRECTOR"),
        ("f001", "Jack Actor", "ACTOR"),
        ("f003", "Jack Actor", "ACTOR"),
        ("f002", "Joan Actor", "ACTOR"),
        ("f004", "Joan Actor", "ACTOR"),
    ):
        operations.insert_credit({"movie_id": film, "name": person, "role": role})
    like("ann", "f001", "f004")
    found = recommended("ann")
    assert list(found) == ["f002", "f003"]
    # The Fourth shares an actor with The Second, The First the director.
    assert found["f002"] == recommendations.Reason("director", ("The First",), "Jane Director")
    assert found["f003"] == recommendations.Reason("cast", ("The First",), "Jack Actor")
    assert [row["_id"] for row in similar_films.films(operations.find_document("movies", "f001"))] == ["f002", "f003"]


def test_of_films_about_equally_alike_the_better_one_comes_first(add_films: AddFilms) -> None:
    """The worse one is of the same year."""
    years, scores = (1950, 1960, 1950), (7.0, 8.0, 3.0)
    add_films(
        *(
            {"title": "A film", "genres": ["war"], "release_year": year, "imdb_score": score, "imdb_votes": 100}
            for year, score in zip(years, scores, strict=True)
        )
    )
    ranking.recompute()
    assert [row["_id"] for row in similar_films.films(operations.find_document("movies", "f001"))] == ["f002", "f003"]


def test_liked_films_stay_away_though_the_latest_likes_are_deleted_films(
    two_tastes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendations, "PROFILE", 2)
    like("ann", "f009", "gone1", "gone2")
    assert "f009" not in recommended("ann")


@pytest.mark.usefixtures("two_tastes")
def test_a_film_page_reads_no_priors(database: Raw) -> None:
    database.neighbours.update_one({"_id": neighbour_lists.CURRENT}, {"$unset": {"priors": 1}})
    assert set(neighbour_lists.closest("f001", 4)) == {"f002", "f003", "f004", "f010"}


def test_taste_is_what_is_more_frequent_than_in_the_library(two_tastes: None) -> None:
    catalogue.refresh()
    like("ann", "f001", "f002", "f003", "f004", "f005", "f006")
    for film in ("f001", "f002"):
        operations.insert_credit({"movie_id": film, "name": "Jane Director", "role": "DIRECTOR"})
    profile = taste.profile("ann")
    assert profile is not None
    assert profile.films == 6
    # 4 of 6 are westerns, of all 10 films 5: (4/6) / (5/10). Musicals are 2 of 6, and of all films 4 of 10: no taste.
    assert profile.genres == [taste.Trait("western", 4, 1.3)]
    assert profile.directors == [taste.Trait("Jane Director", 2)]
    assert profile.actors == []
    assert taste.profile("nobody") is None


@pytest.mark.usefixtures("two_tastes")
def test_nothing_is_computed_again_before_a_like_comes_or_goes() -> None:
    assert learn() is None
    assert learn(force=True) is not None
    like("new", "f001")
    assert learn() == learning.Learned(likes=61, users=13, films=9)
    likes.unlike("new", "f001")
    like("new", "f002")  # as many likes as before
    assert learn() is not None
    assert learn() is None


@pytest.mark.usefixtures("two_tastes")
def test_readers_see_the_old_neighbours_until_the_new_ones_are_complete(
    database: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted at every batch; and what an interrupted run left goes with the next one that completes."""
    monkeypatch.setattr(neighbour_lists, "BATCH", 2)
    before = neighbour_lists.read(["f001"])
    like("new", "f001", "f002", "f003", "f004")
    with neighbour_lists.alone() as writer:
        films = [f"f{n:03}" for n in range(1, 11)]
        found = compute(*_pairs(films))
        steps = writer.replace(films, found, digest="new")
        for _ in range(4):
            next(steps)
            present = neighbour_lists.read(["f001"])
            assert present.generation == before.generation
            assert present.rows["f001"].weights.tolist() == before.rows["f001"].weights.tolist()
        del steps  # as an interrupted process leaves it
    half = {row["generation"] for row in database.neighbours.find({"generation": {"$exists": True}})}
    assert len(half) == 2
    assert learn() is not None
    kept = {row["generation"] for row in database.neighbours.find({"generation": {"$exists": True}})}
    assert kept == {before.generation, neighbour_lists.read([]).generation}
    # A reader that has just read the old generation's name still finds it complete.
    assert set(before.films(range(9)).values()) == {f"f{n:03}" for n in range(1, 11)} - {"f009"}


def _pairs(films: list[str]) -> Any:
    likes = list(get_collection("user_interactions").find())
    users = {name: number for number, name in enumerate({row["user_id"] for row in likes})}
    return (
        np.array([users[row["user_id"]] for row in likes], np.int32),
        np.array([films.index(row["movie_id"]) for row in likes], np.int32),
    )


@pytest.mark.usefixtures("two_tastes")
def test_two_never_compute_at_once_and_a_dead_ones_right_runs_out(database: Raw) -> None:
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with neighbour_lists.alone():
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(20)
    try:
        with pytest.raises(Busy), neighbour_lists.alone():
            pass
    finally:
        leave.set()
        thread.join()
    with neighbour_lists.alone() as dead:
        database.neighbours.update_one({"_id": neighbour_lists.LOCK}, {"$set": {"until": now()}})
        with neighbour_lists.alone() as other:
            other.renew()
            with pytest.raises(Busy):
                dead.renew()
    with neighbour_lists.alone():
        pass
