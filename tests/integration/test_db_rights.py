"""Each database user can do all that its task asks for, and no more. The web apps' tests run as these users, too."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter
from pymongo.errors import OperationFailure

from app.cli import main
from app.cli.session import UNCHANGED
from app.db import operations
from app.db.accounts import administrators, hash_password, rate_limit, sessions, users
from app.db.cluster import figures
from app.db.core import DatabaseError, DatabaseUnavailable, connection, listing
from app.db.likes import learning, likes, neighbour_lists, recommendations, taste
from app.db.schema import create_indexes, install_validators
from app.db.search import failed_searches, film_search, preferences
from app.web.limits import CounterStorage
from ops.local_cluster import LocalCluster
from tests.sample import SAMPLE_FILMS, small_sample

DATABASE = "movie_library"  # the rights are for this one
PASSWORD = "correct horse"
UNAUTHORIZED = 13


def connect(cluster: LocalCluster, user: str) -> None:
    connection.connect(connection.DatabaseConfig(cluster.uri(user), database=DATABASE))


@pytest.fixture
def catalogue(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    """A film with a credit, put there with the admin app's rights into a database that the deployment has prepared."""
    connect(mongodb, "film-library-deploy")
    install_validators()
    create_indexes()
    connect(mongodb, "film-library-admin")
    operations.insert_one("movies", {"_id": "f1", "title": "Alpha", "type": "MOVIE"})
    operations.insert_credit({"movie_id": "f1", "name": "Ann Lee", "role": "ACTOR"})
    yield mongodb
    connection.disconnect()
    with mongodb.client() as client:
        client.drop_database(DATABASE)


def test_the_admin_app_may_change_records(catalogue: LocalCluster) -> None:
    operations.update_document("movies", "f1", {"title": "Beta"})
    assert operations.delete_document("movies", "f1", cascade=True)
    admin, _ = administrators.ensure("root", PASSWORD, superadmin=True)
    assert sessions.session_user(sessions.open_session(admin["_id"], "admin"), "admin") is not None
    assert listing.list_page("administrators").total == 1
    assert figures.refresh()
    with neighbour_lists.alone() as writer:
        assert learning.learn(writer, lambda what, expected: lambda done: None)


def test_the_user_app_may_do_what_it_does_and_no_more(catalogue: LocalCluster) -> None:
    connect(catalogue, "film-library-user")
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
    admin, _ = administrators.ensure("root", PASSWORD)
    token = sessions.open_session(admin["_id"], "admin")
    connect(catalogue, "film-library-user")
    for attempt in (
        lambda: sessions.open_session(admin["_id"], "admin"),
        lambda: sessions.session_user(token, "admin"),
        lambda: sessions.close_session(token, "admin"),
    ):
        with pytest.raises(DatabaseError, match="not authorized"):
            attempt()
    forged = sessions.open_session(admin["_id"], "user")
    connect(catalogue, "film-library-admin")
    assert (sessions.session_user(token, "admin") or {})["_id"] == admin["_id"]
    assert sessions.session_user(forged, "admin") is None


def test_who_took_over_the_user_app_makes_and_reads_no_administrator(catalogue: LocalCluster) -> None:
    connect(catalogue, "film-library-user")
    mallory = users.sign_up("mallory", PASSWORD)
    administrator = {**mallory, "password_hash": hash_password(PASSWORD), "admin_status": 2}
    with catalogue.client("film-library-user") as client:
        database = client[DATABASE]
        for attempt in (
            lambda: database.users.update_one({"_id": mallory["_id"]}, {"$set": {"admin_status": 2}}),
            lambda: database.users.insert_one({**administrator, "_id": "m2", "username": "mallory2"}),
            lambda: database.administrators.insert_one(administrator),
            database.administrators.find_one,
            lambda: database.administrators.update_many({}, {"$set": {"password_hash": "mine"}}),
            lambda: database.administrators.delete_many({}),
        ):
            with pytest.raises(OperationFailure):
                attempt()
    connect(catalogue, "film-library-admin")
    assert [operations.check_admin_status(name) for name in ("mallory", "mallory2")] == [0, 0]


def test_the_user_app_renews_a_hash(catalogue: LocalCluster) -> None:
    ada = users.sign_up("ada", PASSWORD)
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with catalogue.client() as client:
        client[DATABASE].users.update_one({"_id": ada["_id"]}, {"$set": {"password_hash": old}})
    connect(catalogue, "film-library-user")
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}
    with catalogue.client() as client:
        (kept,) = client[DATABASE].users.find({"_id": ada["_id"]})
    assert kept["password_hash"] != old


def test_a_database_that_answers_but_does_not_let_films_be_read_is_unavailable(catalogue: LocalCluster) -> None:
    connect(catalogue, "monitor")
    assert connection.run_command("ping")["ok"] == 1
    with pytest.raises(DatabaseUnavailable, match="not authorized"):
        connection.ping()


@pytest.mark.parametrize("app", ["admin", "user"])
def test_each_app_counts_attempts_for_rate_limits_and_not_the_others(catalogue: LocalCluster, app: str) -> None:
    connect(catalogue, f"film-library-{app}")
    storage = CounterStorage(rate_limit.storage_uri(), **rate_limit.storage_options(app))
    limiter, limit = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(2)
    assert [limiter.hit(limit, "log-in", "ada") for _ in range(3)] == [True, True, False]
    with catalogue.client() as client:
        assert client[DATABASE][rate_limit.COUNTERS[app]].count_documents({}) == 1
    other = next(name for name in rate_limit.COUNTERS if name != app)
    with catalogue.client(f"film-library-{app}") as client, pytest.raises(OperationFailure) as refused:
        client[DATABASE][rate_limit.COUNTERS[other]].update_many({}, {"$set": {"count": 0}})
    assert refused.value.code == UNAUTHORIZED


@pytest.mark.parametrize("user", ["film-library-admin", "film-library-user"])
@pytest.mark.parametrize(
    "command",
    [
        {"collMod": "movies", "validationLevel": "off"},
        {"createIndexes": "movies", "indexes": [{"key": {"runtime": 1}, "name": "runtime"}]},
        {"dropIndexes": "movies", "index": "runtime_1__id_1"},
        {"create": "another"},
        {"drop": "movies"},
        {"dropDatabase": 1},
        {"update": "audit_log", "updates": [{"q": {}, "u": {"$set": {"username": "nobody"}}, "multi": True}]},
        {"delete": "audit_log", "deletes": [{"q": {}, "limit": 0}]},
        {"delete": "audit_changes", "deletes": [{"q": {}, "limit": 0}]},
    ],
    ids=lambda value: " ".join(map(str, next(iter(value.items())))) if isinstance(value, dict) else value,
)
def test_no_app_may_undo_protection_or_destroy_traces(
    catalogue: LocalCluster, user: str, command: dict[str, Any]
) -> None:
    with catalogue.client(user) as client, pytest.raises(OperationFailure) as refused:
        client[DATABASE].command(command)
    assert refused.value.code == UNAUTHORIZED


@pytest.mark.parametrize(
    "collection", ["users", "administrators", "sessions", "admin_sessions", "audit_log", "user_interactions"]
)
def test_the_deployment_may_not_read_about_people(catalogue: LocalCluster, collection: str) -> None:
    with catalogue.client("film-library-deploy") as client, pytest.raises(OperationFailure) as refused:
        client[DATABASE][collection].find_one()
    assert refused.value.code == UNAUTHORIZED


# Each as /usr/local/bin/film-library runs it.
def test_the_commands_need_no_more_rights_than_they_have(catalogue: LocalCluster, tmp_path: Path) -> None:
    def run(user: str, *arguments: str, stdin: str = "") -> str:
        env = {"FILM_LIBRARY_MONGODB_URI": catalogue.uri(user), "FILM_LIBRARY_DATABASE": DATABASE}
        result = CliRunner(env=env).invoke(main, list(arguments), input=stdin)
        assert result.exit_code == 0, result.output
        return result.output.rstrip().rpartition("\n")[2]

    with catalogue.client() as client:  # as an earlier release left it
        client[DATABASE].movies.create_index("genres")
        client[DATABASE].movies.drop_index("runtime_1__id_1")
        client[DATABASE].command("collMod", "users", validator={})
        client[DATABASE].movie_ids.insert_one({"_id": "never", "title_hash": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)})
        for name in ("people", "search_words", "catalogue_values", "ranking"):
            client[DATABASE][name].delete_many({})
    run("film-library-deploy", "init-db")
    assert run("film-library-deploy", "init-db") == UNCHANGED
    source = small_sample(tmp_path)
    # As the deployment does, after a restore perhaps: the catalogue has a film that isn't the sample's.
    assert run("film-library-deploy", "load-sample", "--unless-others", "--source", str(source)) == UNCHANGED
    run("film-library-deploy", "load-sample", "--source", str(source))
    assert run("film-library-deploy", "load-sample", "--source", str(source)) == UNCHANGED
    run("film-library-admin", "move-admins")
    run("film-library-admin", "create-admin", "boss", "--superadmin", "--password-file", "-", stdin=f"{PASSWORD}\n")
    run("film-library-admin", "move-admins", "--finish")
    run("film-library-admin", "status")
    films = tmp_path / "films.jsonl"
    films.write_text('{"_id": "f7", "title": "Seven", "type": "MOVIE"}\n')
    run("film-library-admin", "import", str(films))
    run("film-library-admin", "export", "movies", "-o", str(tmp_path / "out.jsonl"))
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2 + SAMPLE_FILMS
    for _ in range(3):  # the third removes the first's neighbours
        run("film-library-admin", "recommend", "--force")
