"""Paging by key: forwards and backwards over ties and missing values, while rows come and go."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db.accounts import users
from app.db.core import COLLECTIONS, BadQuery, listing, sortable_fields

Add = Callable[..., None]
Raw = Database[dict[str, Any]]


def walk(forwards: bool, **arguments: Any) -> list[str]:
    """The ids of all rows, page by page from one end to the other."""
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = listing.list_page("movies", **({"after": cursor} if forwards else {"before": cursor}), **arguments)
        found = [row["_id"] for row in page.rows]
        ids = ids + found if forwards else found + ids
        cursor = page.next if forwards else page.previous
        if cursor is None:
            return ids


@pytest.fixture
def films(add_films: Add) -> None:
    runtimes = [90, None, 100, 90, None, 120, 100, 90, None, 80, 90]
    add_films(*({"title": f"T{n % 3}", "runtime": runtime} for n, runtime in enumerate(runtimes)))


@pytest.mark.parametrize("sort", ["_id", "title", "runtime", "release_year", "ranking_score"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11, 12])
@pytest.mark.usefixtures("films")
def test_pages_together_are_complete_and_in_order(database: Raw, sort: str, descending: bool, limit: int) -> None:
    direction = -1 if descending else 1
    whole = [row["_id"] for row in database.movies.find().sort([(sort, direction), ("_id", direction)])]
    assert walk(True, sort=sort, descending=descending, limit=limit) == whole
    last = listing.list_page("movies", sort=sort, descending=descending, limit=len(whole))
    assert (last.next, last.previous) == (None, None)


@pytest.mark.parametrize("sort", ["_id", "title", "runtime", "release_year"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.usefixtures("films")
def test_going_back_shows_the_pages_again(sort: str, descending: bool, limit: int) -> None:
    pages = [listing.list_page("movies", sort=sort, descending=descending, limit=limit)]
    while pages[-1].next:
        pages.append(listing.list_page("movies", sort=sort, descending=descending, limit=limit, after=pages[-1].next))
    for earlier, later in reversed(list(itertools.pairwise(pages))):
        back = listing.list_page("movies", sort=sort, descending=descending, limit=limit, before=later.previous)
        assert back.rows == earlier.rows
        assert (back.previous is None) == (earlier is pages[0])
        assert back.next == earlier.next


@pytest.mark.usefixtures("films")
def test_rows_deleted_meanwhile_leave_no_gap_and_no_dead_end(database: Raw) -> None:
    first = listing.list_page("movies", sort="runtime", limit=4)
    shown = [row["_id"] for row in first.rows]
    database.movies.delete_many({"_id": {"$in": shown}})
    second = listing.list_page("movies", sort="runtime", limit=4, after=first.next)
    rest = [row["_id"] for row in database.movies.find().sort([("runtime", 1), ("_id", 1)])]
    assert [row["_id"] for row in second.rows] == rest[:4]

    database.movies.delete_many({"_id": {"$nin": rest[:4]}})
    emptied = listing.list_page("movies", sort="runtime", limit=4, after=second.next)
    assert (emptied.rows, emptied.next) == ([], None)
    back = listing.list_page("movies", sort="runtime", limit=4, before=emptied.previous)
    assert back.rows == second.rows


@pytest.mark.usefixtures("films")
def test_rows_added_meanwhile_are_seen_only_ahead(add_films: Add, database: Raw) -> None:
    first = listing.list_page("movies", limit=3)
    film = database.movies.find_one({})
    assert film is not None
    database.movies.insert_many([{**film, "_id": "f000"}, {**film, "_id": "f004b"}])
    second = listing.list_page("movies", limit=3, after=first.next)
    assert [row["_id"] for row in second.rows] == ["f004", "f004b", "f005"]


@pytest.mark.usefixtures("films")
def test_invalid_lists_are_refused() -> None:
    other = listing.list_page("movies", sort="title", limit=2).next
    bad: list[dict[str, Any]] = [
        {"collection": "system.users"},
        {"collection": {"$ne": 1}},
        {"collection": "movies", "sort": "description"},
        {"collection": "movies", "sort": "$where"},
        {"collection": "movies", "sort": {"$ne": 1}},
        {"collection": "users", "sort": "password_hash"},
        {"collection": "movies", "after": "garbage"},
        {"collection": "movies", "after": other},
        {"collection": "movies", "sort": "title", "after": other, "before": other},
        {"collection": "movies", "limit": 0},
        {"collection": "movies", "limit": 501},
        {"collection": "movies", "limit": "10"},
    ]
    for arguments in bad:
        with pytest.raises(BadQuery):
            listing.list_page(**arguments)


@pytest.mark.parametrize("collection", sorted(COLLECTIONS))
def test_every_sort_runs_on_an_index(database: Raw, collection: str) -> None:
    for field in sortable_fields(collection):
        plan = database[collection].find().sort([(field, 1), ("_id", 1)] if field != "_id" else [("_id", 1)]).explain()
        assert "'SORT'" not in str(plan["queryPlanner"]["winningPlan"]), field


@pytest.mark.usefixtures("database")
def test_users_are_listed_without_their_password_hashes() -> None:
    users.sign_up("ada", "correct horse")
    (row,) = listing.list_page("users", sort="username").rows
    assert set(row) == {"_id", "username", "created_at"}


def test_the_total_is_exact_for_small_collections(add_films: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    add_films("One", "Two", "Three")
    page = listing.list_page("movies", limit=2)
    assert (page.total, page.total_is_estimate) == (3, False)
    monkeypatch.setattr(listing, "EXACT_COUNT_LIMIT", 2)
    page = listing.list_page("movies", limit=2)
    assert (page.total, page.total_is_estimate) == (3, True)
