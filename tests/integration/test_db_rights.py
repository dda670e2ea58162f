"""Each app's own database user may do all that the app does, and the user app's can't touch the catalogue."""

from collections.abc import Iterator

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from app.db import connection, listing, operations, rate_limit, schema, search, sessions, users
from app.db.errors import DatabaseError
from ops.local_cluster import LocalCluster

DATABASE = "movie_library"  # the rights are for this one
PASSWORD = "correct horse"


@pytest.fixture
def catalogue(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    """A film with a credit, put there with the admin app's rights."""
    connection.connect(connection.DatabaseConfig(mongodb.uri("film-library-admin"), database=DATABASE))
    schema.create_indexes()
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


def test_the_user_app_may_do_what_it_does_and_no_more(catalogue: LocalCluster) -> None:
    connection.connect(connection.DatabaseConfig(catalogue.uri("film-library-user"), database=DATABASE))
    connection.ping()
    ada = users.sign_up("ada", PASSWORD)
    assert users.authenticate("ada", PASSWORD) == ada
    token = sessions.open_session(ada["_id"], "user")
    assert sessions.session_user(token, "user") == ada
    sessions.close_session(token)
    assert search.search_movies("alp").total == 1
    assert len(search.top_movies()) == 1
    assert len(search.movie_details("f1")["credits"]) == 1
    for write in (
        lambda: operations.insert_one("movies", {"_id": "f2", "title": "Beta", "type": "MOVIE"}),
        lambda: operations.update_document("movies", "f1", {"runtime": 1}),
        lambda: operations.delete_document("movies", "f1", cascade=True),
    ):
        with pytest.raises(DatabaseError, match="not authorized"):
            write()


@pytest.mark.parametrize("user", ["film-library-admin", "film-library-user"])
def test_both_apps_may_count_attempts_for_rate_limits(catalogue: LocalCluster, user: str) -> None:
    connection.connect(connection.DatabaseConfig(catalogue.uri(user), database=DATABASE))
    storage = storage_from_string(rate_limit.storage_uri(), **rate_limit.storage_options())
    limiter, limit = MovingWindowRateLimiter(storage), RateLimitItemPerMinute(2)
    assert [limiter.hit(limit, "log-in", user) for _ in range(3)] == [True, True, False]
    with catalogue.client() as client:
        assert client[DATABASE][rate_limit.WINDOWS].count_documents({}) == 1
