"""Filtered lists: pages, counts, streaming, and what happens when they take long."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from app.db import operations
from app.db.accounts import users
from app.db.core import BadQuery, Condition, DatabaseUnavailable, TooSlow, connection, listing
from ops.local_cluster import LocalCluster
from ops.processes import free_port

Raw = Database[dict[str, Any]]
SHORT = Condition("runtime", "lt", 100)
NOT_DRAMA = Condition("genres", "ne", "drama")
WITH_A = Condition("description", "contains", "A")


@pytest.fixture
def films(add_films: Callable[..., None]) -> None:
    """Twelve, of which the even ones are short: f001, f003 ... by their ids."""
    add_films(
        *(
            {
                "title": f"T{n % 3}",
                "runtime": 90 + n % 2 * 20,
                "description": "a" if n < 9 else "b",
                "genres": ["drama"],
            }
            for n in range(12)
        )
    )


def ids(page: listing.Page) -> list[str]:
    return [row["_id"] for row in page.rows]


@pytest.mark.parametrize("sort", ["_id", "title", "runtime"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 4, 5, 6, 7])
@pytest.mark.usefixtures("films")
def test_the_last_page_is_the_end_of_the_list(sort: str, descending: bool, limit: int) -> None:
    arguments: dict[str, Any] = {"conditions": [SHORT], "sort": sort, "descending": descending}
    whole = listing.list_page("movies", **arguments)
    assert len(whole.rows) == whole.total == 6
    last = listing.list_page("movies", **arguments, limit=limit, last=True)
    assert last.rows == whole.rows[-limit:]
    assert last.next is None
    assert last.total == 6
    assert (last.previous is None) == (limit >= 6)
    if last.previous:
        before = listing.list_page("movies", **arguments, limit=1, before=last.previous)
        assert before.rows == [whole.rows[-limit - 1]]
        assert listing.list_page("movies", **arguments, limit=limit, after=before.next).rows == last.rows


@pytest.mark.usefixtures("films")
def test_rows_have_the_fields_asked_for() -> None:
    (row, *_) = listing.list_page("movies", sort="title", fields=["runtime"]).rows
    assert set(row) == {"_id", "title", "runtime"}
    users.sign_up("ada", "correct horse")
    for fields in (["password_hash"], ["nothing"], [{"$ne": 1}]):
        with pytest.raises(BadQuery, match="no field"):
            listing.list_page("users", fields=fields)


@pytest.mark.usefixtures("films")
def test_a_page_says_when_no_index_served_its_filter() -> None:
    assert not listing.list_page("movies").unindexed
    assert not listing.list_page("movies", conditions=[SHORT]).unindexed
    assert not listing.list_page("movies", conditions=[SHORT, WITH_A]).unindexed
    assert listing.list_page("movies", conditions=[WITH_A, NOT_DRAMA]).unindexed


@pytest.mark.usefixtures("films")
def test_only_one_starting_point_is_allowed() -> None:
    cursor = listing.list_page("movies", limit=2).next
    for bad in ({"after": cursor, "last": True}, {"before": cursor, "last": True}, {"after": cursor, "before": cursor}):
        with pytest.raises(BadQuery):
            listing.list_page("movies", **bad)  # type: ignore[arg-type]


@pytest.mark.usefixtures("films")
def test_slow_queries_without_an_index_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 1e-6)
    with pytest.raises(TooSlow):
        listing.list_page("movies", conditions=[WITH_A])
    with pytest.raises(TooSlow):
        listing.list_page("movies", conditions=[SHORT, WITH_A])
    assert listing.list_page("movies", conditions=[SHORT]).total == 6


@pytest.mark.usefixtures("films")
def test_an_unavailable_database_is_not_reported_as_slow(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "OPERATION_TIMEOUT_MS", 300)
    connection.connect(connection.DatabaseConfig(f"mongodb://localhost:{free_port()}/", database=database.name))
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 0.05)
    with pytest.raises(DatabaseUnavailable):
        listing.list_page("movies", conditions=[WITH_A])


@pytest.mark.usefixtures("films")
def test_a_database_that_comes_back_is_waited_for(mongodb: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As during an election, which takes longer than the limit."""
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 1.0)
    (frozen,) = mongodb.processes
    back = threading.Timer(2.2, frozen.send, [signal.SIGCONT])
    frozen.freeze()
    back.start()
    try:
        assert listing.list_page("movies", conditions=[WITH_A]).total
    finally:
        back.join()


@pytest.mark.usefixtures("films")
def test_a_database_that_went_away_while_reading_is_not_called_slow(
    mongodb: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 1.0)
    (frozen,) = mongodb.processes
    back = threading.Timer(2.2, frozen.send, [signal.SIGCONT])
    attempts = []

    def read() -> listing.Page:
        attempts.append(time.monotonic())
        if len(attempts) == 1:
            frozen.freeze()
            back.start()
        return listing.list_page("movies")

    try:
        assert listing.within_limit(read, "movies").total == 12
    finally:
        back.join()
    assert len(attempts) == 2
    assert attempts[1] - attempts[0] > 2, "it was waited for"


@pytest.mark.usefixtures("films")
def test_rows_are_shown_though_counting_them_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "COUNT_TIMEOUT_S", 1e-6)
    page = listing.list_page("movies", conditions=[SHORT], limit=4)
    assert (len(page.rows), page.total, page.total_is_estimate) == (4, None, True)
    assert listing.list_page("movies", limit=4).total == 12  # without a filter it is never left out
    assert listing.list_page("movies", conditions=[SHORT], limit=6).total == 6  # all on one page: nothing to count


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches where there are few rows."""
    monkeypatch.setattr(listing, "ITERATE_BATCH", 4)


@pytest.mark.parametrize("sort", ["_id", "title", "runtime", "release_year"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.usefixtures("films", "small_batches")
def test_iterating_gives_all_matches_in_order(sort: str, descending: bool) -> None:
    whole = listing.list_page("movies", conditions=[WITH_A], sort=sort, descending=descending).rows
    assert list(listing.iterate("movies", [WITH_A], sort=sort, descending=descending)) == whole
    assert len(whole) == 9


@pytest.mark.usefixtures("films", "small_batches")
def test_iterating_goes_on_after_an_id_and_past_deletions(database: Raw) -> None:
    found = [row["_id"] for row in listing.iterate("movies", [SHORT], after_id="f003", fields=["title"])]
    assert found == ["f005", "f007", "f009", "f011"]
    rows = listing.iterate("movies")
    first = [next(rows)["_id"] for _ in range(4)]
    database.movies.delete_many({"_id": {"$in": [*first, "f005"]}})
    assert [row["_id"] for row in rows] == [f"f{n:03}" for n in range(6, 13)]
    with pytest.raises(BadQuery):
        listing.iterate("movies", sort="title", after_id="f003")
    with pytest.raises(BadQuery):
        listing.iterate("movies", after_id={"$gt": ""})
    with pytest.raises(BadQuery):
        listing.iterate("movies", [Condition("runtime", "gt", "long")])


@pytest.mark.usefixtures("films")
def test_iterated_rows_are_raw_but_without_secrets() -> None:
    operations.insert_credit({"movie_id": "f001", "name": "Ann Lee", "role": "ACTOR"})
    users.sign_up("ada", "correct horse")
    (credit,) = listing.iterate("credits")
    assert isinstance(credit["_id"], ObjectId)
    assert not list(listing.iterate("credits", after_id=str(credit["_id"])))
    (user,) = listing.iterate("users")
    assert "password_hash" not in user
