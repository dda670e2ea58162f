"""The audit log: entries with the changed fields, none for actions rolled back, paged and filtered."""

from typing import Any

import pytest
from pymongo.client_session import ClientSession

from app.db.core import Actor, audit, connection, now

ADA, BOB = Actor("u1", "ada"), Actor("u2", "bob")
FILM = {"_id": "f1", "title": "Alpha", "type": "MOVIE", "title_hash": 7, "search_tokens": ["alpha"], "genres": ["war"]}

pytestmark = pytest.mark.usefixtures("database")


def entries(**wanted: Any) -> list[tuple[str, str, str | None]]:
    return [(row["username"], row["action"], row["document_id"]) for row in audit.list_page(**wanted).rows]


def test_an_edit_keeps_the_fields_that_changed_and_no_others() -> None:
    after = {**FILM, "title": "Beta", "title_hash": 8, "runtime": 90}
    del after["genres"]
    audit.record(ADA, "edit", "movies", "f1", FILM, after)
    (row,) = audit.list_page().rows
    assert (row["before"], row["after"]) == ({"title": "Alpha", "genres": ["war"]}, {"title": "Beta", "runtime": 90})
    assert (row["user_id"], row["username"], row["collection"], row["document_id"]) == ("u1", "ada", "movies", "f1")


def test_new_and_deleted_records_are_logged_in_full_without_derived_fields() -> None:
    own = {"_id": "f1", "title": "Alpha", "type": "MOVIE", "genres": ["war"]}
    audit.record(ADA, "create", "movies", "f1", None, FILM)
    audit.record(ADA, "delete", "movies", "f1", FILM, None)
    deleted, created = audit.list_page().rows
    assert (created["before"], created["after"]) == ({}, own)
    assert (deleted["before"], deleted["after"]) == (own, {})


def test_a_change_of_password_is_logged_without_the_password() -> None:
    user = {"_id": "u9", "username": "eve", "password_hash": "old", "admin_status": 0}
    audit.record(ADA, "edit", "users", "u9", user, {**user, "password_hash": "new"}, password="changed")
    (row,) = audit.list_page().rows
    assert (row["before"], row["after"], row["password"]) == ({}, {}, "changed")


def test_unchanged_edits_are_not_logged() -> None:
    audit.record(ADA, "edit", "movies", "f1", FILM, {**FILM, "title_hash": 8})
    assert entries() == []


def test_details_never_replace_an_entrys_own_fields() -> None:
    audit.record(ADA, "bulk edit", "movies", None, None, None, job="j1", count=3, username="nobody")
    (row,) = audit.list_page().rows
    assert (row["username"], row["job"], row["count"], row["document_id"]) == ("ada", "j1", 3, None)


def test_an_entry_is_rolled_back_with_its_transaction() -> None:
    class TakenBack(Exception):
        pass

    def work(session: ClientSession) -> None:
        audit.record(ADA, "delete", "movies", "f1", FILM, None, session=session)
        raise TakenBack

    with pytest.raises(TakenBack):
        connection.in_transaction(work)
    assert entries() == []


def test_entries_are_filtered_and_sorted_latest_first() -> None:
    audit.record(ADA, "create", "movies", "f1", None, FILM)
    audit.record(BOB, "create", "movies", "f2", None, FILM)
    audit.record(ADA, "delete", "movies", "f2", FILM, None)
    audit.record(ADA, "delete", "credits", "f2", {"name": "Ann"}, None)
    assert entries() == [
        ("ada", "delete", "f2"),
        ("ada", "delete", "f2"),
        ("bob", "create", "f2"),
        ("ada", "create", "f1"),
    ]
    assert entries(username="bob") == [("bob", "create", "f2")]
    assert entries(action="create", username="ada") == [("ada", "create", "f1")]
    assert entries(collection="movies", document_id="f2") == [("ada", "delete", "f2"), ("bob", "create", "f2")]
    assert entries(username="$ne") == []


def test_pages_of_simultaneous_entries_neither_miss_nor_repeat_any(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    monkeypatch.setattr(audit, "now", lambda: moment)
    for number in range(7):
        audit.record(ADA, "create", "movies", f"f{number}", None, FILM)
    seen, cursor = [], None
    while True:
        page = audit.list_page(after=cursor, limit=3)
        seen += [row["document_id"] for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(seen) == [f"f{number}" for number in range(7)]
