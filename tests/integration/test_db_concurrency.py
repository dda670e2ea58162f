"""Concurrent writers: no change is lost silently, and nothing is left half done."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from app.db import operations
from app.db.accounts import administrators, sessions, users
from app.db.core import (
    SUPERADMIN,
    Actor,
    Conflict,
    DatabaseError,
    Duplicate,
    NotFound,
    Referenced,
    ValidationFailed,
    audit,
    custom_hash,
)
from app.db.core.audit import LOG
from app.db.films import claims

Raw = Database[dict[str, Any]]
Row = dict[str, Any]
Result = Any
FILM = {"_id": "tm1", "title": "The Matrix", "type": "MOVIE", "genres": ["action"], "runtime": 136}
PASSWORD = "correct horse"
BOSS = Actor("u0", "boss")


@pytest.fixture
def film(database: Raw) -> str:
    return operations.insert_one("movies", FILM)


def at_once(*tasks: Callable[[], Result]) -> list[Result]:
    """What each returns, or the error that it raises, all begun at the same time."""

    def outcome(task: Callable[[], Result]) -> Result:
        try:
            return task()
        except DatabaseError as error:
            return error

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(outcome, tasks))


def of_type(results: Sequence[Result], kind: type) -> list[Result]:
    return [result for result in results if isinstance(result, kind)]


# -- versions


def test_the_second_of_two_concurrent_edits_gets_a_conflict(film: str) -> None:
    seen = operations.version(operations.find_document("movies", film))
    operations.update_document("movies", film, {"runtime": 137}, version=seen)
    with pytest.raises(Conflict) as raised:
        operations.update_document("movies", film, {"description": "Neo."}, version=seen)
    current = operations.find_document("movies", film)
    assert raised.value.current == current
    assert (current["runtime"], "description" in current) == (137, False)
    with pytest.raises(Conflict):
        operations.delete_document("movies", film, version=seen)
    operations.update_document("movies", film, {"description": "Neo."}, version=operations.version(current))


def test_one_of_many_concurrent_edits_wins(film: str) -> None:
    seen = operations.version(operations.find_document("movies", film))

    def edit(runtime: int) -> Callable[[], Row]:
        return lambda: operations.update_document("movies", film, {"runtime": runtime}, version=seen, actor=BOSS)

    results = at_once(*(edit(runtime) for runtime in range(6)))
    (won,) = of_type(results, dict)
    assert len(of_type(results, Conflict)) == 5
    assert operations.find_document("movies", film)["runtime"] == won["runtime"]


def test_changes_of_different_fields_without_a_version_are_all_kept(film: str, database: Raw) -> None:
    changes: list[Row] = [{"runtime": 1}, {"description": "Neo."}, {"seasons": 2}, {"title": "Matrix"}]
    results = at_once(*(lambda c=c: operations.update_document("movies", film, c, actor=BOSS) for c in changes))
    assert len(of_type(results, dict)) == 4, results
    (stored,) = database.movies.find()
    for change in changes:
        assert stored.items() >= change.items()
    assert stored["title_hash"] == custom_hash("Matrix")
    assert database[LOG].count_documents({"action": "edit"}) == 4


def test_a_version_covers_editable_fields(film: str, database: Raw) -> None:
    public = operations.find_document("movies", film)
    seen = operations.version(public)
    database.movies.update_one({"_id": film}, {"$set": {"ranking_score": 9.5}})
    assert operations.version(operations.find_document("movies", film)) == seen
    raw = database.movies.find_one()
    assert raw is not None
    assert operations.version(raw) == seen
    assert operations.version({**raw, "runtime": 137}) != seen
    credit = operations.insert_credit({"movie_id": film, "name": "Keanu Reeves", "role": "ACTOR"})
    stored = database.credits.find_one()
    assert stored is not None
    assert operations.version(operations.find_document("credits", credit)) == operations.version(stored)


_rows = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 2) | st.text("01", max_size=2), max_size=3)


@given(one=_rows, other=_rows)
def test_versions_are_equal_exactly_for_equal_rows(one: Row, other: Row) -> None:
    assert (operations.version(one) == operations.version(other)) == (one == other)


# -- what is written together


def test_actions_are_logged_if_and_only_if_they_succeed(film: str, database: Raw) -> None:
    added = operations.insert_one("movies", {"title": "New", "type": "SHOW"}, actor=BOSS)
    operations.update_document("movies", film, {"title": "Matrix"}, actor=BOSS)
    for fails in (
        lambda: operations.insert_one("movies", {**FILM, "title": "Another"}, actor=BOSS),
        lambda: operations.insert_credit({"movie_id": "none", "name": "A", "role": "ACTOR"}, actor=BOSS),
        lambda: operations.update_document("movies", film, {"runtime": -1}, actor=BOSS),
        lambda: operations.update_document("movies", "none", {"runtime": 1}, actor=BOSS),
    ):
        with pytest.raises((Duplicate, ValidationFailed, NotFound)):
            fails()
    assert operations.delete_document("movies", added, actor=BOSS)
    assert not operations.delete_document("movies", added, actor=BOSS)
    entries = [(row["action"], row["document_id"], row["username"]) for row in database[LOG].find().sort("_id")]
    assert entries == [("create", added, "boss"), ("edit", film, "boss"), ("delete", added, "boss")]


def test_an_action_and_its_entry_are_rolled_back_together(
    film: str, database: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = users.sign_up("ada", PASSWORD)["_id"]
    before = {name: list(database[name].find()) for name in ("movies", "users", "administrators", claims.NAME)}
    record = audit.record

    def fail_late(*arguments: Any, **details: Any) -> None:
        record(*arguments, **details)
        raise DatabaseError("something after the entry")

    monkeypatch.setattr(audit, "record", fail_late)
    for action in (
        lambda: operations.insert_one("movies", {"title": "New", "type": "SHOW"}, actor=BOSS),
        lambda: operations.update_document("movies", film, {"title": "Matrix"}, actor=BOSS),
        lambda: operations.delete_document("movies", film, actor=BOSS),
        lambda: users.create_user("eve", PASSWORD, actor=BOSS),
        lambda: users.update_user(ada, {"username": "eve"}, actor=BOSS),
        lambda: administrators.create("eve", PASSWORD, actor=BOSS),
        lambda: users.delete_user(ada, actor=BOSS),
    ):
        with pytest.raises(DatabaseError, match="after the entry"):
            action()
    assert {name: list(database[name].find()) for name in before} == before
    assert database[LOG].count_documents({}) == 0


def test_deleted_dependents_are_logged(film: str, database: Raw) -> None:
    credit = operations.insert_credit({"movie_id": film, "name": "Keanu Reeves", "role": "ACTOR"})
    assert operations.delete_document("movies", film, cascade=True, actor=BOSS)
    taken, own = database[LOG].find().sort("_id")
    assert (taken["action"], taken["collection"], taken["document_id"]) == ("delete", "credits", credit)
    assert taken["before"]["name"] == "Keanu Reeves"
    assert (taken["with_collection"], taken["with_document"]) == ("movies", film)
    assert (own["document_id"], own["along"]) == (film, {"credits": 1})


@pytest.mark.parametrize(("count", "entries"), [(3, 4), (4, 1)])
def test_only_the_number_of_too_many_deleted_dependents_is_logged(
    film: str, database: Raw, monkeypatch: pytest.MonkeyPatch, count: int, entries: int
) -> None:
    monkeypatch.setattr(audit, "MAX_DEPENDENTS", 3)
    for n in range(count):
        operations.insert_credit({"movie_id": film, "name": f"Person {n}", "role": "ACTOR"})
    operations.delete_document("movies", film, cascade=True, actor=BOSS)
    assert database[LOG].count_documents({}) == entries
    assert database[LOG].find_one({"document_id": film}, {"_id": 0, "along": 1}) == {"along": {"credits": count}}


def test_dependents_are_counted(film: str) -> None:
    ada = users.sign_up("ada", PASSWORD)["_id"]
    assert operations.count_dependents("movies", film) == {}
    operations.insert_credit({"movie_id": film, "name": "Keanu Reeves", "role": "ACTOR"})
    like = operations.insert_one("user_interactions", {"movie_id": film, "user_id": ada})
    assert operations.count_dependents("movies", film) == {"credits": 1, "user_interactions": 1}
    assert operations.count_dependents("users", ada) == {"user_interactions": 1}
    assert operations.count_dependents("user_interactions", like) == {}
    with pytest.raises(ValidationFailed) as raised:
        operations.insert_one("user_interactions", {"movie_id": film, "user_id": "nobody"})
    assert set(raised.value.errors) == {"user_id"}


def test_credits_added_while_their_film_is_deleted_are_refused_or_deleted_too(film: str, database: Raw) -> None:
    def add(number: int) -> Callable[[], str]:
        return lambda: operations.insert_credit({"movie_id": film, "name": f"P{number}", "role": "ACTOR"})

    results = at_once(*map(add, range(4)), lambda: operations.delete_document("movies", film, cascade=True), add(9))
    assert True in results
    assert database.credits.count_documents({}) == 0
    assert all(isinstance(result, str | ValidationFailed) for result in results if result is not True)


@pytest.mark.parametrize("collection", ["movies", "credits"])
def test_one_of_many_concurrent_inserts_succeeds(film: str, database: Raw, collection: str) -> None:
    new = {
        "movies": {**FILM, "_id": "tm2"},
        "credits": {"movie_id": film, "name": "Keanu Reeves", "role": "ACTOR", "character": "Neo"},
    }[collection]
    results = at_once(*[lambda: operations.insert_one(collection, new, actor=BOSS)] * 5)
    assert (len(of_type(results, str)), len(of_type(results, Duplicate))) == (1, 4), results
    assert database[LOG].count_documents({}) == 1


# -- accounts


@pytest.fixture
def admins(database: Raw) -> list[str]:
    """The ids of two superadmins."""
    return [administrators.ensure(name, PASSWORD, superadmin=True)[0]["_id"] for name in ("ada", "eve")]


def superadmins(database: Raw) -> int:
    return database.administrators.count_documents({"admin_status": SUPERADMIN})


@pytest.mark.parametrize("deleting", [False, True])
def test_the_last_superadmin_stays_even_if_two_demote_each_other(
    admins: list[str], database: Raw, deleting: bool
) -> None:
    def remove(user_id: str) -> Any:
        if deleting:
            return administrators.delete(user_id, actor=BOSS)
        return administrators.update(user_id, {"admin_status": 1}, actor=BOSS)

    results = at_once(*(lambda user_id=user_id: remove(user_id) for user_id in admins))
    (refused,) = of_type(results, ValidationFailed)
    assert set(refused.errors) == {"admin_status"}
    assert superadmins(database) == 1
    (last,) = database.administrators.find({"admin_status": SUPERADMIN})
    with pytest.raises(ValidationFailed):
        remove(last["_id"])


def test_an_account_is_changed_and_its_sessions_end_with_its_password(admins: list[str], database: Raw) -> None:
    ada, eve = admins
    token = sessions.open_session(ada, "admin")
    seen = operations.version(operations.find_document("administrators", ada))
    changed = administrators.update(
        ada, {"username": " Grace ", "admin_status": 1, "password": ""}, actor=BOSS, version=seen
    )
    assert (changed["username"], changed["admin_status"]) == ("grace", 1)
    assert changed == operations.find_document("administrators", ada)
    assert (sessions.session_user(token, "admin") or {})["username"] == "grace"
    with pytest.raises(Conflict) as raised:
        administrators.update(ada, {"admin_status": 2}, version=seen)
    assert raised.value.current == changed
    administrators.update(ada, {"password": "another horse"}, actor=BOSS)
    assert sessions.session_user(token, "admin") is None
    assert administrators.authenticate("grace", "another horse") == changed | {"credential": ANY}
    entries = list(database[LOG].find().sort("_id"))
    assert [(row["action"], row["before"], row["after"]) for row in entries] == [
        ("role", {"username": "ada", "admin_status": 2}, {"username": "grace", "admin_status": 1}),
        ("edit", {}, {}),
    ]
    assert entries[1]["password"] == "changed"
    assert "argon2" not in str(entries)
    with pytest.raises(Duplicate):
        administrators.update(ada, {"username": "EVE"})
    assert operations.find_document("administrators", eve)["username"] == "eve"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "x"}, "username"),
        ({"username": {"$ne": 1}}, "username"),
        ({"password": "short"}, "password"),
        ({"admin_status": 3}, "admin_status"),
        ({"admin_status": 0}, "admin_status"),
        ({"admin_status": True}, "admin_status"),
        ({"admin_status": {"$gt": 0}}, "admin_status"),
        ({"password_hash": "x"}, "password_hash"),
        ({"_id": "x"}, "_id"),
        ({"$set": {"admin_status": 2}}, "$set"),
    ],
)
def test_bad_changes_of_an_account_are_refused(admins: list[str], database: Raw, changes: Row, field: str) -> None:
    before = list(database.administrators.find())
    with pytest.raises(ValidationFailed) as raised:
        administrators.update(admins[0], changes)
    assert set(raised.value.errors) == {field}
    assert list(database.administrators.find()) == before


def test_accounts_are_created_and_deleted_with_their_likes(film: str, database: Raw) -> None:
    ada = users.create_user("ada", PASSWORD, actor=BOSS)
    with pytest.raises(Duplicate):
        users.create_user("Ada", PASSWORD, actor=BOSS)
    with pytest.raises(ValidationFailed):
        administrators.create("bob", PASSWORD, 7, actor=BOSS)
    for change in ({"admin_status": 2}, {"admin_status": 0}):
        with pytest.raises(ValidationFailed, match="can't be changed"):
            users.update_user(ada["_id"], change)
    operations.insert_one("user_interactions", {"movie_id": film, "user_id": ada["_id"]})
    token = sessions.open_session(ada["_id"], "user")
    with pytest.raises(Referenced) as raised:
        users.delete_user(ada["_id"], actor=BOSS)
    assert raised.value.references == {"user_interactions": 1}
    assert users.delete_user(ada["_id"], actor=BOSS, cascade=True)
    assert not users.delete_user(ada["_id"], actor=BOSS)
    assert sessions.session_user(token, "user") is None
    assert database.user_interactions.count_documents({}) == 0
    with pytest.raises(NotFound):
        users.update_user(ada["_id"], {"username": "eve"})
    assert [row["action"] for row in database[LOG].find().sort("_id")] == ["create", "delete", "delete"]
