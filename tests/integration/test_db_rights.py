"""Each app's database user can do everything that the app does; the user app's can't change the catalogue."""

from collections.abc import Iterator
from unittest.mock import ANY

import pytest
from argon2 import PasswordHasher
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from app.db import operations
from app.db.accounts import rate_limit, sessions, users
from app.db.cluster import figures
from app.db.core import DatabaseError, DatabaseUnavailable, connection, listing
from app.db.likes import learning, likes, neighbour_lists, recommendations, taste
from app.db.schema import create_indexes, install_validators
from app.db.search import failed_searches, film_search, preferences
from ops.local_cluster import LocalCluster

DATABASE = "movie_library"  # the rights are for this one
PASSWORD = "correct horse"


@pytest.fixture
def catalogue(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    """A film with a credit, put there with the admin app's rights."""
    connection.connect(connection.DatabaseConfig(mongodb.uri("film-library-admin"), database=DATABASE))
    install_validators()
    create_indexes()
    operations.insert_one("movies", {"_id": "f1", "title": "Alpha", "type": "MOVIE"})
    operations.insert_credit({"movie_id": "f1", "name": "Ann Lee", "role": "ACTOR"})
    yield mongodb
    connection.disconnect()
    with mongodb.client() as client:
        client.drop_database(DATABASE)


def test_the_admin_app_may_change_records(catalogue: LocalCluster) -> None:
    operations.update_document("movies", "f1", {"title": "Beta"})
    assert operations.delete_document("movies", "f1", cascade=True)
    admin, _ = users.create_admin("root", PASSWORD, superadmin=True)
    assert sessions.session_user(sessions.open_session(admin["_id"], "admin"), "admin") == admin
    assert listing.list_page("users").total == 1
    assert figures.refresh()
    with neighbour_lists.alone() as writer:
        assert learning.learn(writer, lambda what, expected: lambda done: None)


def test_the_user_app_may_do_what_it_does_and_no_more(catalogue: LocalCluster) -> None:
    connection.connect(connection.DatabaseConfig(catalogue.uri("film-library-user"), database=DATABASE))
    connection.ping()
    ada = users.sign_up("ada", PASSWORD)
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}
    token = sessions.open_session(ada["_id"], "user")
    assert sessions.session_user(token, "user") == ada
    sessions.close_session(token, "user")
    assert film_search.search_movies("alp").total == 1
    failed_searches.record("Nothing like it")
    assert [row["_id"] for row in failed_searches.most_wanted()] == ["nothing like it"]
    assert preferences.find(kind="MOVIE").page.total == 1
    assert len(film_search.movie_details("f1")["credits"]) == 1
    assert len(recommendations.for_user(ada["_id"])) == 1
    likes.like(ada["_id"], "f1")
    assert recommendations.for_user(ada["_id"]) == []
    assert taste.profile(ada["_id"]) is not None
    for write in (
        lambda: operations.insert_one("movies", {"_id": "f2", "title": "Beta", "type": "MOVIE"}),
        lambda: operations.update_document("movies", "f1", {"runtime": 1}),
        lambda: operations.delete_document("movies", "f1", cascade=True),
    ):
        with pytest.raises(DatabaseError, match="not authorized"):
            write()


def test_the_user_app_cannot_open_or_read_admin_sessions(catalogue: LocalCluster) -> None:
    admin, _ = users.create_admin("root", PASSWORD)
    token = sessions.open_session(admin["_id"], "admin")
    connection.connect(connection.DatabaseConfig(catalogue.uri("film-library-user"), database=DATABASE))
    for attempt in (
        lambda: sessions.open_session(admin["_id"], "admin"),
        lambda: sessions.session_user(token, "admin"),
        lambda: sessions.close_session(token, "admin"),
    ):
        with pytest.raises(DatabaseError, match="not authorized"):
            attempt()
    forged = sessions.open_session(admin["_id"], "user")
    connection.connect(connection.DatabaseConfig(catalogue.uri("film-library-admin"), database=DATABASE))
    assert sessions.session_user(token, "admin") == admin
    assert sessions.session_user(forged, "admin") is None


def test_the_user_app_renews_a_hash(catalogue: LocalCluster) -> None:
    ada = users.sign_up("ada", PASSWORD)
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with catalogue.client() as client:
        client[DATABASE].users.update_one({"_id": ada["_id"]}, {"$set": {"password_hash": old}})
    connection.connect(connection.DatabaseConfig(catalogue.uri("film-library-user"), database=DATABASE))
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}
    with catalogue.client() as client:
        (kept,) = client[DATABASE].users.find({"_id": ada["_id"]})
    assert kept["password_hash"] != old


def test_a_database_that_answers_but_does_not_let_films_be_read_is_unavailable(catalogue: LocalCluster) -> None:
    connection.connect(connection.DatabaseConfig(catalogue.uri("monitor"), database=DATABASE))
    assert connection.run_command("ping")["ok"] == 1
    with pytest.raises(DatabaseUnavailable, match="not authorized"):
        connection.ping()


@pytest.mark.parametrize("user", ["film-library-admin", "film-library-user"])
def test_both_apps_may_count_attempts_for_rate_limits(catalogue: LocalCluster, user: str) -> None:
    connection.connect(connection.DatabaseConfig(catalogue.uri(user), database=DATABASE))
    storage = storage_from_string(rate_limit.storage_uri(), **rate_limit.storage_options())
    limiter, limit = MovingWindowRateLimiter(storage), RateLimitItemPerMinute(2)
    assert [limiter.hit(limit, "log-in", user) for _ in range(3)] == [True, True, False]
    with catalogue.client() as client:
        assert client[DATABASE][rate_limit.WINDOWS].count_documents({}) == 1
