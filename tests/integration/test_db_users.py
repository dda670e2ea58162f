"""Accounts and log-in sessions."""

import statistics
import threading
import time
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest
from argon2 import PasswordHasher
from pymongo.database import Database

from app.db.accounts import administrators, passwords, sessions, users
from app.db.core import BadQuery, Duplicate, NotFound, ValidationFailed, now

Raw = Database[dict[str, Any]]
PASSWORD = "correct horse"
NO_NAMES = [{"$ne": None}, ["ada"], None, 5, b"ada"]


@pytest.fixture
def ada(database: Raw) -> dict[str, Any]:
    return users.sign_up("Ada", PASSWORD)


def test_signing_up_makes_a_user_that_can_log_in(ada: dict[str, Any], database: Raw) -> None:
    assert set(ada) == {"_id", "username", "created_at"}
    assert ada["username"] == "ada"
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}
    assert users.authenticate(" ADA ", PASSWORD) == ada | {"credential": ANY}
    assert PASSWORD not in str(database.users.find_one())


@pytest.mark.usefixtures("ada")
def test_wrong_credentials_are_refused() -> None:
    for username, password in [("ada", "wrong horse"), ("ada", ""), ("bob", PASSWORD), ("", ""), ("ada", "x" * 10**6)]:
        assert users.authenticate(username, password) is None
    for bad in NO_NAMES:
        assert users.authenticate(bad, PASSWORD) is None  # type: ignore[arg-type]
        assert users.authenticate("ada", bad) is None  # type: ignore[arg-type]


@pytest.mark.usefixtures("ada")
def test_a_taken_name_is_refused_whatever_its_case() -> None:
    for name in ("ada", "ADA", " Ada "):
        with pytest.raises(Duplicate):
            users.sign_up(name, "another horse")


@pytest.mark.parametrize(
    "name", ["", "ab", "-ada", "a b c", "a" * 65, "ad\u00e4", "ada\n\nx", "$ne$", "a/b", "<ada>", *NO_NAMES]
)
@pytest.mark.usefixtures("database")
def test_invalid_names_are_refused(name: Any) -> None:
    with pytest.raises(ValidationFailed) as raised:
        users.sign_up(name, PASSWORD)
    assert set(raised.value.errors) == {"username"}


@pytest.mark.usefixtures("database")
def test_problems_with_name_and_password_are_reported_together() -> None:
    with pytest.raises(ValidationFailed) as raised:
        users.sign_up("", "short")
    assert set(raised.value.errors) == {"username", "password"}


def test_two_concurrent_sign_ups_with_one_name_make_one_account(database: Raw) -> None:
    barrier, outcomes = threading.Barrier(4), []

    def sign_up() -> None:
        barrier.wait()
        try:
            users.sign_up("ada", PASSWORD)
            outcomes.append("made")
        except Duplicate:
            outcomes.append("taken")

    threads = [threading.Thread(target=sign_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "taken", "taken", "taken"]
    assert database.users.count_documents({"username": "ada"}) == 1


@pytest.mark.usefixtures("ada")
def test_an_unknown_name_takes_as_much_work_as_a_wrong_password() -> None:
    def work(username: str) -> float:
        began = time.thread_time()
        users.authenticate(username, "wrong horse")
        return time.thread_time() - began

    work("nobody")  # makes the hash that nobody has
    known, unknown = (statistics.median(work(name) for _ in range(7)) for name in ("ada", "nobody"))
    assert 0.6 < unknown / known < 1.7


def test_an_outdated_hash_is_renewed_at_log_in(ada: dict[str, Any], database: Raw) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    database.users.update_one({"_id": ada["_id"]}, {"$set": {"password_hash": old}})
    assert users.authenticate("ada", "wrong horse") is None
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}
    stored = database.users.find_one({"_id": ada["_id"]})
    assert stored is not None
    assert not passwords.needs_rehash(stored["password_hash"])
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}


def test_create_admin_changes_only_what_was_requested(ada: dict[str, Any]) -> None:
    def make(*args: Any, **kwargs: Any) -> tuple[int, str]:
        user, done = administrators.ensure(*args, **kwargs)
        return user["admin_status"], done

    assert make("grace", PASSWORD) == (1, "created")
    assert make("grace", PASSWORD) == (1, "unchanged")
    assert make("Grace") == (1, "unchanged")
    assert make("grace", superadmin=True) == (2, "changed")
    assert make("grace") == (2, "unchanged")  # never lowered
    grace = administrators.authenticate("grace", PASSWORD)
    assert grace is not None
    token = sessions.open_session(grace["_id"], "admin")
    assert make("grace", "another horse") == (2, "changed")
    assert sessions.session_user(token, "admin") is None
    assert administrators.authenticate("grace", PASSWORD) is None
    assert administrators.authenticate("grace", "another horse") is not None
    for name, password in (("bob", None), ("ada", None), ("grace", "short")):  # ada is a user, no administrator
        with pytest.raises(ValidationFailed):
            administrators.ensure(name, password)
    assert make("ada", "another horse") == (1, "created")
    assert users.authenticate("ada", PASSWORD) == ada | {"credential": ANY}


@pytest.mark.parametrize("bad", NO_NAMES[:4])
@pytest.mark.usefixtures("database")
def test_ids_and_tokens_must_be_strings(bad: Any) -> None:
    with pytest.raises(BadQuery):
        sessions.open_session(bad, "user")
    with pytest.raises(BadQuery):
        sessions.session_user("token", bad)
    assert sessions.session_user(bad, "user") is None
    with pytest.raises(BadQuery):
        sessions.close_session("token", bad)
    sessions.close_session(bad, "user")


def test_a_session_lasts_until_it_is_closed(ada: dict[str, Any], database: Raw) -> None:
    token, other = sessions.open_session(ada["_id"], "user"), sessions.open_session(ada["_id"], "user")
    assert token != other
    assert len(token) == 43, "256 random bits in base64"
    assert sessions.session_user(token, "user") == ada
    assert sessions.session_user(token, "admin") is None
    assert token not in str(list(database.sessions.find()))
    sessions.close_session(token, "admin")
    assert sessions.session_user(token, "user") == ada
    sessions.close_session(token, "user")
    sessions.close_session(token, "user")
    assert sessions.session_user(token, "user") is None
    assert sessions.session_user(other, "user") == ada
    assert sessions.session_user("\ud800", "user") is None


def test_a_renewed_session_has_another_token_and_the_same_times(database: Raw) -> None:
    grace, _ = administrators.ensure("grace", PASSWORD)
    old = sessions.open_session(grace["_id"], "admin", agent="Firefox")
    stored = database.admin_sessions.find_one({}) or {}
    new = sessions.renew(old, "admin", factor=True)
    assert sessions.session_user(old, "admin") is None
    assert (sessions.session_user(new, "admin") or {})["session"]["factor"] is True
    assert database.admin_sessions.find_one({}) == {**stored, "_id": ANY, "factor": True}
    with pytest.raises(NotFound):
        sessions.renew(old, "admin")


def test_an_admin_session_needs_an_admin(ada: dict[str, Any], database: Raw) -> None:
    assert sessions.session_user(sessions.open_session(ada["_id"], "admin"), "admin") is None
    grace, _ = administrators.ensure("grace", PASSWORD)
    token = sessions.open_session(grace["_id"], "admin")
    assert (sessions.session_user(token, "admin") or {})["_id"] == grace["_id"]
    assert sessions.session_user(sessions.open_session(grace["_id"], "user"), "user") is None
    database.administrators.delete_one({"_id": grace["_id"]})
    assert sessions.session_user(token, "admin") is None


def test_a_session_ends_when_it_has_been_idle_for_too_long(ada: dict[str, Any], database: Raw) -> None:
    token = sessions.open_session(ada["_id"], "user")
    expiry = database.sessions.find_one({})["expires_at"]  # type: ignore[index]
    assert abs(expiry - now() - sessions.KINDS["user"].idle) < timedelta(seconds=30)
    database.sessions.update_one({}, {"$set": {"expires_at": now() - timedelta(seconds=1)}})
    assert sessions.session_user(token, "user") is None


@pytest.mark.parametrize("kind", ["user", "admin"])
def test_use_prolongs_a_session_but_not_beyond_its_absolute_end(ada: dict[str, Any], database: Raw, kind: str) -> None:
    account = ada if kind == "user" else administrators.ensure("grace", PASSWORD)[0]
    lifetime = sessions.KINDS[kind]
    stored = database[lifetime.collection]
    token = sessions.open_session(account["_id"], kind)

    def seen(created: timedelta, last: timedelta) -> timedelta:
        """How long the session has left after being used, when it was created and last seen that long ago."""
        moment = now()
        times = {"created_at": moment - created, "seen_at": moment - last, "expires_at": moment + timedelta(seconds=30)}
        stored.update_one({}, {"$set": times})
        assert sessions.session_user(token, kind) is not None
        left: timedelta = stored.find_one({})["expires_at"] - moment  # type: ignore[index] # it is there
        return left

    tolerance = timedelta(seconds=10)
    assert seen(timedelta(0), timedelta(0)) <= timedelta(seconds=30)  # seen just now: no write
    assert abs(seen(timedelta(minutes=5), timedelta(minutes=5)) - lifetime.idle) < tolerance
    almost = lifetime.absolute - timedelta(minutes=1)
    assert abs(seen(almost, timedelta(minutes=5)) - timedelta(minutes=1)) < tolerance


def test_mongodb_removes_expired_sessions_by_itself(database: Raw) -> None:
    for name, field in (
        ("sessions", "expires_at"),
        ("admin_sessions", "expires_at"),
        ("rate_limit_counters", "expireAt"),
        ("admin_rate_limit_counters", "expireAt"),
    ):
        assert database[name].index_information()[f"{field}_1"]["expireAfterSeconds"] == 0
