"""The dashboard's figures: counted correctly, by one process at a time, and stored; and failed searches."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from app.db.accounts import sessions
from app.db.cluster import figures
from app.db.core import DatabaseError, now
from app.db.search import failed_searches

Films = Callable[..., None]
Store = Database[dict[str, Any]]


def counted() -> figures.Figures:
    assert figures.refresh()
    found = figures.current().figures
    assert found is not None
    return found


def like(database: Store, *likes: tuple[str, str, datetime]) -> None:
    rows = [{"user_id": user, "movie_id": film, "created_at": at} for user, film, at in likes]
    database.user_interactions.insert_many(rows)


def test_an_empty_library_has_empty_figures(database: Store) -> None:
    assert figures.current().due
    found = counted()
    assert (found.films, found.years, found.genres, found.types, found.most_liked) == (0, [], [], [], [])
    assert [count for _, count in found.over_time["day"].likes] == [0] * figures.PERIODS["day"]


def test_films_are_counted_by_year_genre_and_type(add_films: Films) -> None:
    add_films(
        {"release_year": 1990, "genres": ["drama", "crime"]},
        {"release_year": 1990, "genres": ["drama"], "type": "SHOW"},
        {"release_year": 1950, "genres": []},
        {},
    )
    found = counted()
    assert found.films == 4
    assert found.years == [(1950, 1), (1990, 2), (None, 1)]
    assert found.genres == [(None, 2), ("drama", 2), ("crime", 1)]
    assert found.types == [("MOVIE", 3), ("SHOW", 1)]


def test_likes_and_sign_ups_fall_into_their_day_and_month(database: Store, add_films: Films) -> None:
    add_films("Alpha", "Beta")
    today = now()
    long_ago = today - timedelta(days=figures.PERIODS["month"] * 32)
    yesterday = today - timedelta(days=1)
    like(database, ("u1", "f001", today), ("u1", "f002", today), ("u2", "f002", yesterday), ("u3", "gone", long_ago))
    database.users.insert_one(
        {"_id": "u1", "username": "ada", "password_hash": "none", "admin_status": 0, "created_at": yesterday}
    )
    found = counted()
    days, months = found.over_time["day"], found.over_time["month"]
    assert [count for _, count in days.likes][-2:] == [1, 2]
    assert [count for _, count in days.active][-2:] == [1, 1]
    assert [count for _, count in days.sign_ups][-2:] == [1, 0]
    assert sum(count for _, count in months.likes) == 3
    assert found.most_liked == [
        {"_id": "f002", "likes": 2, "title": "Beta"},
        {"_id": "f001", "likes": 1, "title": "Alpha"},
        {"_id": "gone", "likes": 1, "title": None},
    ]


@pytest.mark.parametrize(
    ("unit", "first", "last"),
    [("day", datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
     ("month", datetime(2022, 4, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))],
)  # fmt: skip
def test_periods_end_with_the_present_one(unit: figures.Unit, first: datetime, last: datetime) -> None:
    starts = figures.period_starts(unit, datetime(2024, 3, 1, 23, 59, 59, tzinfo=UTC))
    assert (starts[0], starts[-1], len(set(starts))) == (first, last, figures.PERIODS[unit])


def test_a_user_with_two_sessions_was_seen_once(database: Store) -> None:
    for user in ("u1", "u1", "u2"):
        sessions.open_session(user, "user")
    sessions.open_session("boss", "admin")
    database.sessions.update_many({"user_id": "u2"}, {"$set": {"seen_at": now() - timedelta(days=2)}})
    found = counted()
    assert (found.seen_today, found.seen_this_week) == (1, 2)


def test_fresh_figures_are_not_counted_again_and_old_ones_are(database: Store, add_films: Films) -> None:
    assert counted().films == 0
    add_films("Alpha")
    assert not figures.current().due
    assert not figures.refresh()
    database[figures.NAME].update_one({}, {"$set": {"fresh_until": now()}})
    assert figures.current().due
    assert counted().films == 1


def test_slow_figures_stay_fresh_longer(database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FRESH", timedelta(0))
    monkeypatch.setattr(figures, "LARGEST_SHARE", 1e-9)
    counted()
    assert not figures.current().due
    assert not figures.refresh()


def test_only_one_of_several_processes_counts(database: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: figures.refresh(), range(8))) == [False] * 7 + [True]


def test_a_count_under_way_is_left_alone_until_its_lease_ends(database: Store) -> None:
    assert figures._take(now() + figures.LEASE)
    assert figures.current().busy
    assert not figures.refresh()
    database[figures.NAME].update_one({}, {"$set": {"busy_until": now()}})
    assert not figures.current().busy
    assert figures.refresh()


def test_a_count_that_lost_its_lease_does_not_overwrite_its_successors(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = figures._count

    def overtaken() -> figures.Figures:
        database[figures.NAME].update_one({}, {"$set": {"busy_until": now() + timedelta(hours=1), "seconds": 77.0}})
        return original()

    monkeypatch.setattr(figures, "_count", overtaken)
    figures.refresh()
    assert figures.current().seconds == 77.0


def test_a_failed_count_says_so_and_is_tried_again_later(database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counted()
    database[figures.NAME].update_one({}, {"$set": {"fresh_until": now()}})
    with monkeypatch.context() as patch:
        patch.setattr(figures, "COUNT_TIMEOUT_S", 0.000001)
        with pytest.raises(DatabaseError):
            figures.refresh()
    state = figures.current()
    assert state.figures is not None
    assert state.failed_at is not None
    assert not state.due
    assert not figures.refresh()
    database[figures.NAME].update_one({}, {"$set": {"busy_until": now()}})
    assert figures.current().due
    assert figures.refresh()
    assert figures.current().failed_at is None


def test_failed_searches_are_counted_by_their_words(database: Store) -> None:
    for text in ("Été 1999!", "ete  1999", "Nothing", "?!", ""):
        failed_searches.record(text)
    assert [(row["_id"], row["count"]) for row in failed_searches.most_wanted()] == [("ete 1999", 2), ("nothing", 1)]
    assert [(row["_id"], row["count"]) for row in counted().misses] == [("ete 1999", 2), ("nothing", 1)]


def test_a_full_list_of_failed_searches_still_counts_known_ones(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_searches, "MAX_TERMS", 1)
    for text in ("first", "second", "first"):
        failed_searches.record(text)
    assert [(row["_id"], row["count"]) for row in failed_searches.most_wanted()] == [("first", 2)]
