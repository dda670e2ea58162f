"""Likes: idempotent, in one round trip, read in any order, and gone with their user."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, now
from app.db.likes import likes

Raw = Database[dict[str, Any]]
Add = Callable[..., None]

USER = "u1"
NO_IDS = (None, 5, "", "x" * 65, ["f001"], {"$ne": None}, b"f001")
NO_FILMS = (*NO_IDS, "a b", "a/b", "..", "f001\n", "$ne")


@pytest.fixture
def films(add_films: Add) -> None:
    """f001 to f004, each first in one order: Zeta is the best, Alpha the first by title, émile the oldest."""
    add_films(
        {"title": "Alpha", "release_year": 2000, "imdb_score": 5, "imdb_votes": 1000},
        {"title": "Zeta", "release_year": 1990, "imdb_score": 9, "imdb_votes": 1000},
        {"title": "émile", "release_year": 1950, "imdb_score": 7, "imdb_votes": 1000},
        {"title": "Never liked"},
    )


def pages(sort: str, *, descending: bool, limit: int = 2) -> list[dict[str, Any]]:
    rows, after = [], None
    while True:
        page = likes.page(USER, sort=sort, descending=descending, after=after, limit=limit)
        rows += page.rows
        if (after := page.next) is None:
            return rows


@pytest.mark.usefixtures("films")
def test_liking_and_unliking_are_idempotent(database: Raw) -> None:
    likes.like(USER, "f001")
    (first,) = database.user_interactions.find()
    likes.like(USER, "f001")
    assert list(database.user_interactions.find()) == [first]
    assert first["created_at"] <= now()
    for _ in range(2):
        likes.unlike(USER, "f001")
        assert likes.liked(USER) == frozenset()
    likes.like(USER, "f001")
    assert likes.liked(USER) == {"f001"}


def test_concurrent_likes_make_one_document(database: Raw) -> None:
    with ThreadPoolExecutor(8) as pool:
        for film in range(20):
            list(pool.map(lambda _, film=film: likes.like(USER, f"f{film}"), range(8)))
    assert database.user_interactions.count_documents({}) == 20


def test_liking_and_unliking_are_one_round_trip_each(database: Raw) -> None:
    database.command("profile", 2)
    likes.like(USER, "f001")
    likes.unlike(USER, "f001")
    database.command("profile", 0)
    entries = list(database["system.profile"].find({"ns": {"$ne": f"{database.name}.system.profile"}}))
    database.drop_collection("system.profile")
    assert [(entry["op"], entry.get("keysExamined", 0)) for entry in entries] == [("update", 0), ("remove", 1)]


@pytest.mark.usefixtures("films")
def test_the_likes_among_a_pages_films() -> None:
    likes.like(USER, "f001")
    likes.like(USER, "f002")
    likes.like("u2", "f003")
    assert likes.liked_among(USER, ["f001", "f003", "f004", "f001"]) == {"f001"}
    assert likes.liked_among(USER, []) == frozenset()
    assert (likes.count(USER), likes.count("nobody")) == (2, 0)
    with pytest.raises(BadQuery, match="at most 500"):
        likes.liked_among(USER, [f"f{n}" for n in range(501)])


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize(
    ("sort", "ascending"),
    [
        ("liked", ["f002", "f003", "f001"]),
        ("title", ["f001", "f003", "f002"]),
        ("year", ["f003", "f002", "f001"]),
        ("rating", ["f001", "f003", "f002"]),
    ],
)
def test_likes_in_every_order(database: Raw, sort: str, ascending: list[str]) -> None:
    for film in ("f002", "f003", "f001"):
        likes.like(USER, film)
    likes.like("u2", "f004")
    assert [film["_id"] for film in pages(sort, descending=False)] == ascending
    rows = pages(sort, descending=True)
    assert [film["_id"] for film in rows] == ascending[::-1]
    liked_at = {like["movie_id"]: like["created_at"] for like in database.user_interactions.find({"user_id": USER})}
    assert {film["_id"]: film["liked_at"] for film in rows} == liked_at
    assert {"title", "type", "release_year", "ranking_score"} <= rows[0].keys()


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize("sort", likes.SORTS)
def test_deleted_films_are_left_out(database: Raw, sort: str) -> None:
    for film in ("f001", "f002", "f003"):
        likes.like(USER, film)
    database.movies.delete_one({"_id": "f002"})  # past app.db, which takes the likes along
    assert {film["_id"] for film in pages(sort, descending=True, limit=1)} == {"f001", "f003"}
    assert pages(sort, descending=True, limit=500) == pages(sort, descending=True, limit=1)
    assert likes.count(USER) == 2


@pytest.mark.parametrize("descending", [True, False])
def test_the_latest_likes_are_read_from_an_index(database: Raw, descending: bool) -> None:
    database.user_interactions.insert_many(
        [
            {"user_id": USER if n % 20 == 0 else f"other{n}", "movie_id": f"f{n}", "created_at": now()}
            for n in range(200)
        ]
    )
    direction = -1 if descending else 1
    found = database.user_interactions.find({"user_id": USER}).sort([("created_at", direction), ("_id", direction)])
    explained = found.limit(4).explain()
    assert "'SORT'" not in str(explained["queryPlanner"]["winningPlan"])
    assert explained["executionStats"]["totalKeysExamined"] == 4


@pytest.mark.usefixtures("films")
def test_likes_go_with_their_film_and_with_their_user(database: Raw) -> None:
    for film in ("f001", "f002"):
        likes.like(USER, film)
        likes.like("u2", film)
    assert operations.delete_document("movies", "f001", cascade=True)
    assert likes.liked(USER) == {"f002"}
    assert likes.erase(USER) == 1
    assert likes.erase(USER) == 0
    assert [like["user_id"] for like in database.user_interactions.find()] == ["u2"]
    assert likes.page(USER).rows == []


def test_many_batches_of_likes_are_all_deleted(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likes, "BATCH", 3)
    for film in range(7):
        likes.like(USER, f"f{film}")
    likes.like("u2", "f1")
    assert likes.erase(USER) == 7
    assert [like["user_id"] for like in database.user_interactions.find()] == ["u2"]


def test_invalid_ids_are_refused(database: Raw) -> None:
    for bad in NO_FILMS:
        for call in (likes.like, likes.unlike):
            with pytest.raises(BadQuery):
                call(USER, bad)  # type: ignore[arg-type]
        with pytest.raises(BadQuery):
            likes.liked_among(USER, [bad])  # type: ignore[list-item]
    calls: list[Callable[[Any], Any]] = [
        lambda user: likes.like(user, "f001"),
        lambda user: likes.unlike(user, "f001"),
        lambda user: likes.liked_among(user, ["f001"]),
        likes.liked,
        likes.count,
        likes.page,
        likes.erase,
    ]
    for call_with in calls:
        for bad in NO_IDS:
            with pytest.raises(BadQuery):
                call_with(bad)
    assert database.user_interactions.count_documents({}) == 0


@pytest.mark.usefixtures("films")
def test_bad_orders_cursors_and_limits_are_refused() -> None:
    likes.like(USER, "f001")
    likes.like(USER, "f002")
    cursor = likes.page(USER, sort="title", limit=1).next
    for arguments in (
        {"sort": "_id"},
        {"sort": ["title"]},
        {"sort": None},
        {"after": "nonsense"},
        {"after": cursor},
        {"limit": 0},
        {"limit": 501},
    ):
        with pytest.raises(BadQuery):
            likes.page(USER, **arguments)
