"""The operations on records: what they do, and what they don't let through."""

import time
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.accounts import users
from app.db.core import (
    BadQuery,
    DatabaseUnavailable,
    Duplicate,
    NotFound,
    Referenced,
    ValidationFailed,
    connection,
    custom_hash,
)
from ops.local_cluster import LocalCluster
from ops.processes import free_port

Add = Callable[..., None]
Raw = Database[dict[str, Any]]
FILM = {"_id": "tm1", "title": "The Matrix", "type": "MOVIE", "genres": ["action"], "runtime": 136}


@pytest.fixture
def film(database: Raw) -> str:
    return operations.insert_one("movies", FILM)


def test_a_film_comes_back_with_its_derived_fields(film: str) -> None:
    stored = operations.find_document("movies", film)
    assert stored.items() >= FILM.items()
    assert stored["title_hash"] == custom_hash("The Matrix")
    assert stored["search_tokens"] == ["the", "matrix"]
    assert set(stored) <= set(operations.get_keys("movies"))


def test_one_id_is_one_film(film: str) -> None:
    for title in ("The Matrix", "Another Title"):
        with pytest.raises(Duplicate):
            operations.insert_one("movies", {**FILM, "title": title})


@pytest.mark.usefixtures("database")
def test_a_film_without_an_id_gets_one() -> None:
    added = operations.insert_one("movies", {"title": "New", "type": "SHOW"})
    assert operations.find_document("movies", added)["title"] == "New"


def test_credits_are_unique_and_belong_to_a_film(film: str) -> None:
    credit = {"movie_id": film, "name": "Keanu Reeves", "role": "ACTOR", "character": "Neo"}
    added = operations.insert_credit(credit)
    assert operations.find_document("credits", added)["character"] == "Neo"
    with pytest.raises(Duplicate):
        operations.insert_credit(credit)
    operations.insert_credit({**credit, "character": "Thomas Anderson"})
    with pytest.raises(ValidationFailed) as raised:
        operations.insert_credit({**credit, "movie_id": "nowhere"})
    assert raised.value.errors == {"movie_id": "there is no such film"}
    with pytest.raises(ValidationFailed) as raised:
        operations.insert_one("user_interactions", {"movie_id": "nope", "user_id": "nobody"})
    assert raised.value.errors == {"movie_id": "there is no such film", "user_id": "there is no such user"}


@pytest.mark.usefixtures("film")
def test_updates_change_what_they_say_and_nothing_else(database: Raw) -> None:
    before = database.movies.find_one()
    assert before is not None
    after = operations.update_document("movies", "tm1", {"runtime": "137", "genres": "", "description": "Neo."})
    assert after == {**{k: v for k, v in before.items() if k != "genres"}, "runtime": 137, "description": "Neo."}
    assert operations.update_one("movies", {"title": "The Matrix", "runtime": 137}, {"runtime": 138})
    assert not operations.update_one("movies", {"title": "The Matrix", "runtime": 137}, {"runtime": 139})
    assert operations.find_document("movies", "tm1")["runtime"] == 138


@pytest.mark.usefixtures("film")
def test_another_title_takes_hash_tokens_and_claim_along(database: Raw) -> None:
    changed = operations.update_document("movies", "tm1", {"title": "Amélie"})
    assert (changed["title_hash"], changed["search_tokens"]) == (custom_hash("Amélie"), ["amelie"])
    assert database.movies.count_documents({"_id": "tm1"}) == 1
    assert changed["runtime"] == 136
    with pytest.raises(Duplicate):
        operations.insert_one("movies", FILM)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"_id": "tm2"}, "_id"),
        ({"title": ""}, "title"),
        ({"title": {"$ne": 1}}, "title"),
        ({"runtime": "long"}, "runtime"),
        ({"$set": {"title": "x"}}, "$set"),
        ({"title.x": "y"}, "title.x"),
    ],
)
@pytest.mark.usefixtures("film")
def test_bad_changes_are_refused(changes: dict[str, Any], field: str, database: Raw) -> None:
    before = list(database.movies.find())
    with pytest.raises(ValidationFailed) as raised:
        operations.update_document("movies", "tm1", changes)
    assert set(raised.value.errors) == {field}
    assert list(database.movies.find()) == before


def test_a_credit_stays_with_its_film(film: str) -> None:
    operations.insert_one("movies", {**FILM, "_id": "tm2"})
    added = operations.insert_credit({"movie_id": film, "name": "Keanu Reeves", "role": "ACTOR"})
    with pytest.raises(ValidationFailed):
        operations.update_document("credits", added, {"movie_id": "tm2"})


def test_a_film_with_credits_is_deleted_only_with_them(film: str, database: Raw) -> None:
    for name in ("A", "B"):
        operations.insert_credit({"movie_id": film, "name": name, "role": "ACTOR"})
    with pytest.raises(Referenced) as raised:
        operations.delete_document("movies", film)
    assert raised.value.references == {"credits": 2}
    assert operations.delete_document("movies", film, cascade=True)
    assert not operations.delete_document("movies", film)
    assert [database[name].count_documents({}) for name in ("movies", "credits", "movie_ids")] == [0, 0, 0]
    assert operations.insert_one("movies", {**FILM, "title": "Reused id"}) == film


def test_several_are_deleted_at_once(add_films: Add) -> None:
    add_films("a", "b", "c")
    assert operations.delete_documents("movies", ["f001", "f003", "f009"]) == 2
    assert [film["_id"] for film in operations.list_documents("movies")] == ["f002"]
    with pytest.raises(BadQuery):
        operations.delete_documents("movies", ["x"] * 501)


@pytest.mark.parametrize(
    ("filter_by", "filter_op", "ids"),
    [
        ({"title": "b"}, {}, ["f002"]),
        ({"runtime": "100"}, {"runtime": "gte"}, ["f002", "f003"]),
        ({"runtime": 100}, {"runtime": "gt"}, ["f003"]),
        ({"runtime": 100}, {"runtime": "lt"}, ["f001"]),
        ({"runtime": 100, "title": "a"}, {"runtime": "lte", "title": "ne"}, ["f002"]),
        ({"description": ".*"}, {"description": "contains"}, ["f003"]),
        ({"description": "STARS"}, {"description": "contains"}, ["f001"]),
        ({"genres": "Drama"}, {"genres": "contains"}, ["f002"]),
    ],
)
def test_filters(add_films: Add, filter_by: dict[str, Any], filter_op: dict[str, str], ids: list[str]) -> None:
    add_films(
        {"title": "a", "runtime": 90, "description": "Of stars"},
        {"title": "b", "runtime": 100, "genres": ["drama"]},
        {"title": "c", "runtime": 110, "description": "Of .* things"},
    )
    found = operations.list_documents("movies", filter_by=filter_by, filter_op=filter_op)
    assert [film["_id"] for film in found] == ids


@pytest.mark.parametrize(
    "arguments",
    [
        {"filter_by": {"title": {"$ne": None}}},
        {"filter_by": {"title": ["a"]}},
        {"filter_by": {"runtime": {"$gt": 0}}, "filter_op": {"runtime": "gt"}},
        {"filter_by": {"title": {"$regex": "."}}, "filter_op": {"title": "contains"}},
        {"filter_by": {"$where": "1"}},
        {"filter_by": {"title": "x"}, "filter_op": {"title": "$ne"}},
        {"filter_by": {"title": "x"}, "filter_op": {"title": "regex"}},
        {"filter_by": {"runtime": "a"}, "filter_op": {"runtime": "contains"}},
        {"filter_by": {"title": "x" * 501}},
        {"sort_field": "$natural"},
        {"sort_direction": 0},
        {"limit": 501},
        {"skip": -1},
        {"skip": "0"},
    ],
)
@pytest.mark.usefixtures("film")
def test_no_operator_gets_into_a_query(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadQuery):
        operations.list_documents("movies", **arguments)


@pytest.mark.parametrize("bad", [{"$ne": None}, None, ["tm1"], 1.5, "a b"])
@pytest.mark.usefixtures("film")
def test_no_operator_gets_in_as_an_id(bad: Any) -> None:
    for call in (operations.find_document, operations.delete_document):
        with pytest.raises(BadQuery):
            call("movies", bad)
    with pytest.raises(BadQuery):
        operations.update_document("movies", bad, {"runtime": 1})
    with pytest.raises(NotFound):
        operations.find_document("movies", "tm2")


@pytest.mark.usefixtures("database")
def test_password_hashes_are_neither_read_nor_searched_nor_written() -> None:
    ada = users.sign_up("ada", "correct horse")
    assert operations.find_document("users", ada["_id"]) == ada
    assert operations.list_documents("users") == [ada]
    assert operations.check_admin_status("Ada") == 0
    assert operations.check_user_credentials("ada", "correct horse") == ada | {"credential": ANY}
    with pytest.raises(BadQuery):
        operations.list_documents(
            "users", filter_by={"password_hash": "$argon2"}, filter_op={"password_hash": "contains"}
        )
    for write in (
        lambda: operations.insert_one("users", {"username": "eve", "password_hash": "x"}),
        lambda: operations.update_document("users", ada["_id"], {"admin_status": 2}),
        lambda: operations.delete_document("users", ada["_id"]),
        lambda: operations.insert_documents("users", []),
    ):
        with pytest.raises(BadQuery):
            write()


def test_an_unreachable_database_is_unavailable_and_says_so_in_time(database: Raw) -> None:
    port = free_port()
    connection.connect(connection.DatabaseConfig(f"mongodb://localhost:{port}/", database=database.name))
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        connection.ping()
    assert time.monotonic() - began < connection.OPERATION_TIMEOUT_MS / 1000 / 2


@pytest.mark.usefixtures("database")
def test_a_refused_log_in_is_unavailable(mongodb: LocalCluster) -> None:
    connection.connect(connection.DatabaseConfig(mongodb.uri("film-library-user", "wrong")))
    with pytest.raises(DatabaseUnavailable, match=r"[Aa]uthentication failed"):
        connection.ping()


@pytest.mark.usefixtures("database")
def test_connecting_opens_nothing_until_the_first_operation() -> None:
    connection.connect(connection.DatabaseConfig(f"mongodb://localhost:{free_port()}/"))
    assert "password" not in repr(connection.DatabaseConfig("mongodb://user:password@host/"))
