"""What people do with their own account, with the rights of the user app alone."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db.accounts import own_account, sessions, users
from app.db.core import DatabaseUnavailable, NotFound, ValidationFailed, now
from app.db.likes import likes
from app.db.records import documents

Raw = Database[dict[str, Any]]
PASSWORD = "correct horse"
OTHER = "battery staple 7"


@pytest.fixture
def ada(database: Raw) -> str:
    return str(users.sign_up("ada", PASSWORD)["_id"])


def like(database: Raw, user_id: str, movie_id: str) -> None:
    database.user_interactions.insert_one({"user_id": user_id, "movie_id": movie_id, "created_at": now()})


def test_a_new_password_ends_all_sessions(ada: str, database: Raw) -> None:
    tokens = [sessions.open_session(ada, "user") for _ in range(2)]
    bob = str(users.sign_up("bob", PASSWORD)["_id"])
    bobs = sessions.open_session(bob, "user")
    changed = own_account.change_password(ada, PASSWORD, OTHER)
    assert [sessions.session_user(token, "user") for token in tokens] == [None, None]
    assert database.sessions.count_documents({"user_id": ada}) == 0
    assert sessions.session_user(bobs, "user") is not None
    assert users.authenticate("ada", PASSWORD) is None
    assert users.authenticate("ada", OTHER) == changed
    assert sessions.session_user(sessions.open_session(ada, "user", changed["credential"]), "user") is not None


def test_a_new_password_ends_the_sessions_even_when_the_database_goes_away_before_they_are_deleted(
    ada: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> int:
        raise DatabaseUnavailable("no primary")

    token = sessions.open_session(ada, "user")
    monkeypatch.setattr(sessions, "close_others", away)
    with pytest.raises(DatabaseUnavailable):
        own_account.change_password(ada, PASSWORD, OTHER)
    assert sessions.session_user(token, "user") is None


def test_a_log_in_overtaken_by_a_new_password_opens_nothing(ada: str) -> None:
    overtaken = users.authenticate("ada", PASSWORD)
    assert overtaken is not None
    own_account.change_password(ada, PASSWORD, OTHER)
    token = sessions.open_session(ada, "user", overtaken["credential"])
    assert sessions.session_user(token, "user") is None


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong horse", OTHER, "current"),
        ("", OTHER, "current"),
        ({"$ne": ""}, OTHER, "current"),
        (PASSWORD, "short", "password"),
        (PASSWORD, "password1", "password"),
        (PASSWORD, "ada is my name, yes", "password"),
        (PASSWORD, PASSWORD, "password"),
        (PASSWORD, None, "password"),
    ],
)
def test_a_password_that_is_not_changed(ada: str, current: Any, new: Any, field: str) -> None:
    token = sessions.open_session(ada, "user")
    with pytest.raises(ValidationFailed) as raised:
        own_account.change_password(ada, current, new)
    assert set(raised.value.errors) == {field}
    assert users.authenticate("ada", PASSWORD) is not None
    assert sessions.session_user(token, "user") is not None


def test_of_two_changes_at_once_one_is_made(ada: str) -> None:
    barrier, made, refused = threading.Barrier(3), [], []

    def change(new: str) -> None:
        barrier.wait()
        try:
            own_account.change_password(ada, PASSWORD, new)
            made.append(new)
        except ValidationFailed as error:
            refused.append(set(error.errors))

    threads = [threading.Thread(target=change, args=(f"{OTHER}{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [{"current"}] * 2
    (password,) = made
    assert users.authenticate("ada", password) is not None


def test_deleting_takes_likes_and_sessions_along_and_nothing_of_others(ada: str, database: Raw) -> None:
    bob = str(users.sign_up("bob", PASSWORD)["_id"])
    for user_id in (ada, bob):
        like(database, user_id, "f001")
        sessions.open_session(user_id, "user")
    with pytest.raises(ValidationFailed):
        own_account.delete(ada, "wrong horse")
    assert database.users.count_documents({"_id": ada}) == 1
    own_account.delete(ada, PASSWORD)
    assert [user["_id"] for user in database.users.find()] == [bob]
    assert [row["user_id"] for row in database.user_interactions.find()] == [bob]
    assert [row["user_id"] for row in database.sessions.find()] == [bob]
    with pytest.raises(NotFound):
        own_account.delete(ada, PASSWORD)
    users.sign_up("ada", PASSWORD)  # the name is free again


def test_the_transaction_has_little_to_delete(ada: str, database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may live a minute only, and an account may have more likes than can be deleted in that time."""
    delete, left = documents.delete, []

    def watched(*arguments: Any, **options: Any) -> dict[str, int]:
        left.append(database.user_interactions.count_documents({"user_id": ada}))
        return delete(*arguments, **options)

    for film in range(3):
        like(database, ada, f"f{film}")
    monkeypatch.setattr(documents, "delete", watched)
    own_account.delete(ada, PASSWORD)
    assert left == [0]
    assert database.users.count_documents({}) == 0


def test_a_film_liked_while_the_account_goes_leaves_nothing(
    ada: str, database: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = sessions.close_others

    def meanwhile(*arguments: Any) -> int:
        like(database, ada, "f002")
        return close(*arguments)

    monkeypatch.setattr(sessions, "close_others", meanwhile)
    own_account.delete(ada, PASSWORD)
    assert database.user_interactions.count_documents({}) == 0


def test_the_export_asks_for_no_more_films_than_a_query_holds(
    ada: str, database: Raw, add_films: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query is a document, of 16 MiB at most: some 200,000 ids."""
    monkeypatch.setattr(likes, "BATCH", 2, raising=False)
    add_films(*({"title": f"Jaws {n}"} for n in range(1, 6)))
    for n in range(1, 6):
        like(database, ada, f"f00{n}")
    database.command("profile", 2)
    exported = own_account.export(ada)["likes"]
    database.command("profile", 0)
    queries = list(database["system.profile"].find({"ns": f"{database.name}.movies"}))
    database.drop_collection("system.profile")
    assert [film["title"] for film in exported] == [f"Jaws {n}" for n in range(1, 6)]
    assert [len(query["command"]["filter"]["_id"]["$in"]) for query in queries] == [2, 2, 1]


def test_the_export_holds_everything_but_the_keys(ada: str, database: Raw, add_films: Callable[..., None]) -> None:
    add_films({"title": "Jaws", "release_year": 1975})
    like(database, ada, "f001")
    like(database, ada, "gone")
    token = sessions.open_session(ada, "user")
    data = own_account.export(ada)
    text = json.dumps(data)
    assert data["account"]["name"] == "ada"
    assert [(film["film"], film["title"], film["release_year"]) for film in data["likes"]] == [
        ("f001", "Jaws", 1975),
        ("gone", None, None),
    ]
    assert len(data["sessions"]) == 1
    stored = database.users.find_one({"_id": ada})
    assert stored is not None
    session = database.sessions.find_one({})
    assert session is not None
    for key in (token, session["_id"], stored["password_hash"]):
        assert key not in text
    with pytest.raises(NotFound):
        own_account.export("nobody")
