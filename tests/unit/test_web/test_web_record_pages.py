"""Viewing, adding, editing and deleting records; errors appear beside fields, and input is never lost."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from web_form import Form
from web_visitor import PASSWORD, Visitor, with_session
from werkzeug.test import TestResponse

from app.db import operations
from app.db.accounts import users
from app.db.core import NotFound
from ops.local_cluster import LocalCluster

FILM = {
    "_id": "T1",
    "title": "The Test",
    "type": "MOVIE",
    "release_year": 1999,
    "runtime": 90,
    "description": "One line,\nand another.",
    "genres": ["drama", "war, and peace"],
    "production_countries": ["A line\nbreak"],  # forms can't show that: it stays until the field is changed
}


@pytest.fixture
def film(library: LocalCluster, boss: Visitor, user_id: Callable[[str], str]) -> Iterator[str]:
    """The address of a film with a credit and a like; deleted after the test."""
    operations.insert_one("movies", FILM)
    operations.insert_credit({"movie_id": "T1", "name": "Tess Ter", "role": "ACTOR"})
    operations.insert_one("user_interactions", {"movie_id": "T1", "user_id": user_id("ann")})
    yield "/collections/movies/T1"
    operations.delete_document("movies", "T1", cascade=True)
    with library.client() as client:
        client.movie_library.audit_log.delete_many({"$or": [{"document_id": "T1"}, {"with_document": "T1"}]})


def opened(visitor: Visitor, address: str) -> dict[str, str]:
    """The form at an address, as it opens."""
    return Form(visitor.get(address).text, address).values


def submit(visitor: Visitor, address: str, values: dict[str, str], **typed: str) -> TestResponse:
    return visitor.post(address, {**values, **typed})


def audit(library: LocalCluster, **wanted: Any) -> list[dict[str, Any]]:
    with library.client() as client:
        return list(client.movie_library.audit_log.find(wanted))


def test_a_page_shows_the_whole_record(boss: Visitor, film: str) -> None:
    page = boss.get(film).text
    for text in ("The Test", "1999", "One line,\nand another.", "drama, war, and peace", "1 credit", "1 like"):
        assert text in page
    assert "/collections/credits?filter=movie_id.eq.T1" in page
    listed = boss.get("/collections/credits?filter=movie_id.eq.T1").text
    assert "Tess Ter" in listed
    assert re.search(r'href="/collections/movies/T1"[^>]*>The Test</a>', listed)


@pytest.mark.parametrize(
    "address", ["movies/nope", "credits/nope", "credits/" + "0" * 24, "users/x", "nope/Q1", "movies/" + "x" * 99]
)
@pytest.mark.parametrize("page", ["", "/edit", "/delete"])
def test_missing_records_are_404(boss: Visitor, address: str, page: str) -> None:
    assert boss.get(f"/collections/{address}{page}").status_code == 404


def test_a_film_is_added(boss: Visitor, library: LocalCluster) -> None:
    added = submit(
        boss,
        "/collections/movies/new",
        opened(boss, "/collections/movies/new"),
        title=" New  one ",
        type="SHOW",
        genres="Drama\r\n\r\ncrime",
        seasons="2",
        imdb_score="7.5",
    )
    assert added.status_code == 302
    page = boss.get(added.location).text
    assert "The film has been added." in page
    document_id = added.location.rsplit("/", 1)[1]
    film = operations.find_document("movies", document_id)
    assert (film["title"], film["genres"], film["seasons"], film["imdb_score"]) == (
        "New  one",
        ["drama", "crime"],
        2,
        7.5,
    )
    (entry,) = audit(library, document_id=document_id)
    assert (entry["action"], entry["username"]) == ("create", "boss")
    operations.delete_document("movies", document_id)


def test_errors_appear_beside_fields(boss: Visitor) -> None:
    address = "/collections/movies/new"
    typed = {
        "title": "",
        "release_year": "soon",
        "imdb_score": "11",
        "type": "OPERA",
        "description": "<b>typed</b>",
        "genres": "a\nb",
    }
    response = submit(boss, address, opened(boss, address), **typed)
    assert response.status_code == 422
    form = Form(response.text, address)
    assert set(form.errors) == {"title", "release_year", "imdb_score", "type"}
    assert form.errors["release_year"] == "Year must be a whole number."
    assert html.unescape(form.errors["imdb_score"]) == "IMDb must be at most 10."
    assert {name: form.values[name] for name in typed} == {**typed, "type": form.values["type"]}
    assert ">OPERA</option>" in response.text
    assert response.text.count('aria-invalid="true"') == 4


def test_a_credit_needs_an_existing_film(boss: Visitor, film: str) -> None:
    address = "/collections/credits/new"
    values = {**opened(boss, address), "name": "Nobody", "role": "ACTOR", "movie_id": "nope"}
    form = Form(submit(boss, address, values).text, address)
    assert form.errors == {"movie_id": "There is no such film."}
    values = {**values, "movie_id": "T1", "name": "Tess Ter"}
    twice = submit(boss, address, values)
    assert twice.status_code == 422
    assert "Nothing was added" in twice.text
    assert submit(boss, address, {**values, "name": "Somebody"}).status_code == 302


def test_an_address_can_prefill_a_form(boss: Visitor, film: str) -> None:
    page = boss.get("/collections/credits/new?movie_id=T1&password_hash=x").text
    assert Form(page, "/collections/credits/new").values["movie_id"] == "T1"
    assert "The Test</p>" in page


def test_only_changed_fields_are_saved(boss: Visitor, film: str, library: LocalCluster) -> None:
    before = operations.find_document("movies", "T1")
    values = opened(boss, f"{film}/edit")
    assert values["description"] == FILM["description"]
    assert values["genres"] == "drama\nwar, and peace"
    # A browser sends line breaks as CR LF.
    sent = {name: text.replace("\n", "\r\n") for name, text in values.items()}
    assert submit(boss, f"{film}/edit", sent).status_code == 302
    assert operations.find_document("movies", "T1") == before
    assert audit(library, document_id="T1", action="edit") == []
    assert (
        submit(boss, f"{film}/edit", sent, runtime="", release_year="2001", genres="war, and peace").status_code == 302
    )
    after = operations.find_document("movies", "T1")
    assert "runtime" not in after
    assert (after["release_year"], after["genres"], after["description"]) == (
        2001,
        ["war, and peace"],
        FILM["description"],
    )
    assert after["production_countries"] == FILM["production_countries"]
    (entry,) = audit(library, document_id="T1", action="edit")
    assert (entry["username"], set(entry["after"])) == ("boss", {"release_year", "genres"})


def test_errors_in_an_edit_keep_the_input(boss: Visitor, film: str) -> None:
    values = opened(boss, f"{film}/edit")
    response = submit(boss, f"{film}/edit", values, title="Renamed", runtime="-1")
    assert response.status_code == 422
    form = Form(response.text, f"{film}/edit")
    assert form.errors == {"runtime": "Minutes must be at least 0."}
    assert (form.values["title"], form.values["runtime"]) == ("Renamed", "-1")
    assert operations.find_document("movies", "T1")["title"] == "The Test"
    assert submit(boss, f"{film}/edit", form.values, runtime="91").status_code == 302
    assert operations.find_document("movies", "T1")["title"] == "Renamed"


def test_a_second_editor_sees_the_conflict(boss: Visitor, root: Visitor, film: str) -> None:
    address = f"{film}/edit"
    mine, theirs = opened(boss, address), opened(root, address)
    assert submit(root, address, theirs, title="Their title", release_year="2005").status_code == 302
    clash = submit(boss, address, mine, title="My title", runtime="120")
    assert clash.status_code == 409
    assert operations.find_document("movies", "T1")["title"] == "Their title"
    form = Form(clash.text, address)
    assert "Keep theirs: <q>Their title</q>" in clash.text
    assert "Use yours: <q>My title</q>" in clash.text
    assert "is now <q>2005</q>" in clash.text
    assert "keep.runtime" not in clash.text  # nobody else touched it
    assert (form.values["title"], form.values["release_year"], form.values["runtime"]) == ("My title", "2005", "120")

    # A third change comes in meanwhile: another conflict, and still nothing is lost.
    operations.update_document("movies", "T1", {"seasons": 3})
    again = submit(boss, address, form.values, **{"keep.title": "theirs"})
    assert again.status_code == 409
    form = Form(again.text, address)
    assert (form.values["title"], form.values["seasons"], form.values["runtime"]) == ("Their title", "3", "120")
    assert submit(boss, address, form.values).status_code == 302
    film_now = operations.find_document("movies", "T1")
    assert [film_now[name] for name in ("title", "release_year", "runtime", "seasons")] == ["Their title", 2005, 120, 3]


def test_a_second_editor_may_overwrite(boss: Visitor, film: str) -> None:
    mine = opened(boss, f"{film}/edit")
    operations.update_document("movies", "T1", {"title": "Their title"})
    form = Form(submit(boss, f"{film}/edit", mine, title="My title").text, f"{film}/edit")
    assert form.values["keep.title"] == "yours"
    assert submit(boss, f"{film}/edit", form.values).status_code == 302
    assert operations.find_document("movies", "T1")["title"] == "My title"


def test_the_input_survives_a_deleted_record(boss: Visitor, film: str) -> None:
    mine = opened(boss, f"{film}/edit")
    operations.delete_document("movies", "T1", cascade=True)
    response = submit(boss, f"{film}/edit", mine, title="All for nothing")
    assert response.status_code == 404
    assert "deleted this record" in response.text
    assert Form(response.text, f"{film}/edit").values["title"] == "All for nothing"


def test_a_deletion_shows_dependents(boss: Visitor, film: str, library: LocalCluster) -> None:
    address = f"{film}/delete"
    page = boss.get(address).text
    assert "1 credit and 1 like" in page
    values = Form(page, address).values
    assert submit(boss, address, values).status_code == 422
    assert operations.count_dependents("movies", "T1") == {"credits": 1, "user_interactions": 1}
    assert submit(boss, address, values, cascade="1").status_code == 302
    assert operations.count_dependents("movies", "T1") == {}
    with pytest.raises(NotFound):
        operations.find_document("movies", "T1")
    assert submit(boss, address, values, cascade="1").status_code == 404
    (entry,) = audit(library, document_id="T1", action="delete")
    assert entry["username"] == "boss"
    log = with_session(boss, "rootadmin").get("/audit-log?action=delete").text
    assert "Also deleted: 1 credit and 1 like." in log
    assert log.count("Deleted with ") == 2


def test_a_record_changed_meanwhile_is_not_deleted(boss: Visitor, film: str) -> None:
    address = f"{film}/delete"
    values = opened(boss, address)
    operations.update_document("movies", "T1", {"runtime": 91})
    response = submit(boss, address, values, cascade="1")
    assert response.status_code == 422
    assert "changed this record after you opened" in response.text
    assert operations.find_document("movies", "T1")["runtime"] == 91
    assert submit(boss, address, Form(response.text, address).values, cascade="1").status_code == 302


def test_a_control_character_is_reported_beside_its_field(boss: Visitor, film: str) -> None:
    response = submit(boss, f"{film}/edit", opened(boss, f"{film}/edit"), title="A\x01B", runtime="95")
    assert response.status_code == 422
    assert "Title holds a control character." in response.text
    assert Form(response.text, f"{film}/edit").values["runtime"] == "95"


def test_the_longest_description_fits(boss: Visitor, film: str) -> None:
    longest = "\U0001f3ac" * 10_000  # 12 bytes each when encoded
    assert submit(boss, f"{film}/edit", opened(boss, f"{film}/edit"), description=longest).status_code == 302
    assert operations.find_document("movies", "T1")["description"] == longest


def test_accounts(boss: Visitor, guest: Visitor, new_name: str) -> None:
    address = "/collections/users/new"
    values = opened(boss, address)
    assert "admin_status" not in values
    short = Form(submit(boss, address, values, username=new_name, password="short").text, address)
    assert set(short.errors) == {"password"}
    assert short.values["password"] == ""  # never sent back
    made = submit(boss, address, values, username=new_name, password=PASSWORD)
    assert made.status_code == 302
    assert "Nothing was added" in submit(boss, address, values, username=new_name, password=PASSWORD).text

    edit = f"{made.location}/edit"
    nameless = submit(boss, edit, opened(boss, edit), username="", password="four blind mice 1928")
    assert nameless.status_code == 422
    assert "Type the new password again" in nameless.text
    assert "four blind" not in nameless.text
    assert submit(boss, edit, opened(boss, edit), password="four blind mice 1928").status_code == 302
    assert users.authenticate(new_name, PASSWORD) is None
    assert users.authenticate(new_name, "four blind mice 1928") is not None
    assert submit(boss, edit, opened(boss, edit), username="ann").status_code == 422
    pages = [boss.get(page).text for page in (made.location, edit, f"{made.location}/delete")]
    assert not any("argon2" in page or "password_hash" in page for page in pages)
    delete = f"{made.location}/delete"
    assert submit(boss, delete, opened(boss, delete)).status_code == 302
    assert not users.exists(new_name)


def test_the_last_superadmin_stays(root: Visitor, user_id: Callable[..., str], library: LocalCluster) -> None:
    with library.client() as client:  # created by other tests
        others = {"admin_status": 2, "username": {"$ne": "rootadmin"}}
        client.movie_library.administrators.update_many(others, {"$set": {"admin_status": 1}})
    address = f"/collections/administrators/{user_id('rootadmin', 'administrators')}"
    demoted = submit(root, f"{address}/edit", opened(root, f"{address}/edit"), admin_status="1")
    assert demoted.status_code == 422
    assert "admin_status" in Form(demoted.text, f"{address}/edit").errors
    assert submit(root, f"{address}/delete", opened(root, f"{address}/delete"), cascade="1").status_code == 422


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("movies?q=film long", ["Q1", "Q2"]),
        ("movies?q=Q1", ["Q1"]),
        ("movies?q=lodz", ["Q4"]),
        ("movies?q=.*", []),
        ("movies?q=", []),
        ("users?q=AN", ["ann"]),
        ("users?q=^a", []),
    ],
)
def test_references_are_found_by_typing(boss: Visitor, query: str, found: list[str]) -> None:
    matches = boss.get(f"/pick/{query}").json["matches"]
    assert [match["name" if "users" in query else "id"] for match in matches][: len(found)] == found
    assert bool(matches) == bool(found)


@pytest.mark.parametrize(
    ("query", "status"),
    [("credits?q=a", 404), ("nope?q=a", 404), ("movies?q=" + "a" * 201, 400), ("movies?q=a&q=b", 400)],
)
def test_invalid_requests_for_references(boss: Visitor, query: str, status: int) -> None:
    assert boss.get(f"/pick/{query}").status_code == status


@pytest.mark.usefixtures("film")
def test_a_like_is_selected_by_its_time(boss: Visitor) -> None:
    page = boss.get("/collections/user_interactions").text
    assert re.search(r">Select \d{4}-\d\d-\d\d \d\d:\d\d</span>", page)


@pytest.mark.parametrize("with_token", [True, False])
def test_a_dialog_gets_401_after_the_session_has_ended(guest: Visitor, with_token: bool) -> None:
    visitor = with_session(guest, "boss")
    address = "/collections/movies/new"
    values = opened(visitor, address) if with_token else {}
    with visitor.client.session_transaction() as session:
        session["_user_id"] = "ended"
    told = visitor.post(address, values, headers={"X-Requested-With": "dialog"})
    assert (told.status_code, told.mimetype, told.text) == (401, "text/plain", "Your session has ended.\n")
    assert visitor.get(address, headers={"X-Requested-With": "dialog"}).status_code == 401
    assert visitor.get(address).location.startswith("/log-in")  # as usual without a dialog
    assert visitor.post(address).status_code == 400
