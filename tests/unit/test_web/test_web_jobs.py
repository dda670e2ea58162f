"""Bulk changes from a list: preview, confirmation, job, undo, and rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from web_visitor import Visitor, with_session
from werkzeug.test import TestResponse

from app.admin import worker
from app.db import operations
from app.db.core import Actor, audit, connection, listing
from app.db.jobs import queue, runner
from app.db.records import bulk
from ops.local_cluster import LocalCluster

BULK = "/collections/movies/bulk"
FILTER = "title.contains.Bulky"
COUNT = 25


@pytest.fixture
def films(admin_app: Flask, library: LocalCluster) -> Iterator[list[str]]:
    """Films for these tests, the first with a credit; no jobs or audit entries of other tests."""
    ids = [f"B{n:02}" for n in range(COUNT)]
    bulk.load("movies", enumerate({"_id": i, "title": f"Bulky {i}", "type": "MOVIE", "genres": ["war"]} for i in ids))
    operations.insert_credit({"movie_id": "B00", "name": "Bulky Person", "role": "ACTOR"})
    yield ids
    with library.client() as client:
        database = client.movie_library
        for name in ("movies", "movie_ids"):
            database[name].delete_many({"_id": {"$in": ids}})
        database.credits.delete_many({"movie_id": "B00"})
        for name in (queue.JOBS, audit.LOG, audit.CHANGES):
            database[name].delete_many({})


@pytest.fixture
def root(admin_app: Flask) -> Visitor:
    """A superadmin with an open session."""
    return with_session(Visitor(admin_app), "rootadmin")


def send(visitor: Visitor, **data: Any) -> TestResponse:
    return visitor.send(BULK, {"action": "edit", **data}, form_on="/collections/movies")


def genres(document_id: str) -> Any:
    return operations.find_document("movies", document_id).get("genres")


EDIT = {"field": "genres", "operation": "add", "value": "drama"}


def finished(answer: TestResponse) -> str:
    """The address of the job that an answer redirects to, after it has run."""
    assert answer.status_code == 303, answer.text
    while runner.run_next():
        pass
    return str(answer.location)


def test_a_filtered_list_is_edited_after_a_preview(boss: Visitor, films: list[str]) -> None:
    form = send(boss, all="1", filter=FILTER).text
    assert "Edit 25 films" in form
    assert "Title contains Bulky" in form
    preview = send(boss, all="1", filter=FILTER, step="preview", **EDIT).text
    assert "war, drama" in preview
    assert "Genres: drama added" in preview
    assert "The first 20 of 25 films" in preview
    assert genres("B03") == ["war"]
    address = finished(send(boss, all="1", filter=FILTER, step="run", **EDIT))
    assert {tuple(genres(film)) for film in films} == {("war", "drama")}
    report = boss.get(address).text
    assert re.search(r"<dt>Changed</dt><dd>25</dd>", report)
    assert genres_of_others() == 0


def genres_of_others() -> int:
    """The number of changed films outside these tests."""
    return len(
        operations.list_documents(
            "movies", filter_by={"genres": "drama", "title": "Numbered"}, filter_op={"title": "contains"}
        )
    )


def test_only_selected_rows_are_edited(boss: Visitor, films: list[str]) -> None:
    finished(send(boss, ids=["B01", "B02"], step="run", **EDIT))
    assert [film for film in films if genres(film) != ["war"]] == ["B01", "B02"]


def test_an_invalid_value_is_reported_and_kept(boss: Visitor, films: list[str]) -> None:
    wrong = {"field": "runtime", "operation": "set", "value": "long & wide"}
    for step in ("preview", "run"):
        answer = send(boss, ids=films[:2], step=step, **wrong)
        assert answer.status_code == 422
        assert 'id="bulk-error">must be a whole number</p>' in answer.text
        assert 'value="long &amp; wide"' in answer.text
        assert '<option value="runtime" data-operations="set unset" data-choices="" selected>' in answer.text
        assert answer.text.count('name="ids" value="B0') == 2
    answer = send(boss, ids=films[:2], step="run", field="title", operation="unset")
    assert answer.status_code == 422
    assert queue.list_page().rows == []


@pytest.mark.usefixtures("films")
def test_without_a_selection_the_list_is_shown_again(boss: Visitor) -> None:
    answer = send(boss, filter=FILTER)
    assert answer.status_code == 303
    assert answer.location.startswith("/collections/movies?")
    assert "Select some records" in boss.get(answer.location).text


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"all": "1", "action": "burn"}, 400),
        ({"all": "1", "filter": "nothing.eq.1"}, 400),
        ({"all": "1", "filter": "runtime.gt.$where"}, 400),
        ({"ids": ["x" * 100]}, 400),
        ({"ids": [f"B{n}" for n in range(1001)]}, 400),
    ],
)
def test_invalid_requests_are_refused(boss: Visitor, data: dict[str, Any], status: int) -> None:
    assert send(boss, **data).status_code == status


@pytest.mark.usefixtures("films")
@pytest.mark.parametrize("action", ["edit", "delete"])
def test_a_slow_filter_leads_back_to_the_list(root: Visitor, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setattr(listing, "UNINDEXED_TIMEOUT_S", 1e-6)
    answer = send(root, all="1", filter=FILTER, action=action)
    assert answer.status_code == 303
    assert "The database stopped the query" in root.get(answer.location).text


def test_only_superadmins_delete_after_typing_the_number(boss: Visitor, root: Visitor, films: list[str]) -> None:
    assert send(boss, all="1", filter=FILTER, action="delete").status_code == 403
    page = send(root, all="1", filter=FILTER, action="delete").text
    assert "Delete 25 films?" in page
    assert "<strong>1 credit</strong>" in " ".join(page.split())
    for typed in ("", "24", "yes"):
        answer = send(root, all="1", filter=FILTER, action="delete", step="run", confirm=typed)
        assert answer.status_code == 422
        assert 'id="bulk-error"' in answer.text
    assert queue.list_page().rows == []
    address = finished(send(root, all="1", filter=FILTER, action="delete", step="run", confirm="25"))
    assert "<dt>Deleted</dt><dd>25</dd>" in root.get(address).text
    assert operations.list_documents("credits", filter_by={"movie_id": "B00"}) == []

    assert boss.send(f"{address}/undo", form_on="/collections/movies").status_code == 403
    undo = finished(root.send(f"{address}/undo", form_on=address))
    assert "<dt>Restored</dt><dd>26</dd>" in root.get(undo).text
    assert len(operations.list_documents("movies", filter_by={"_id": films}, filter_op={"_id": "in"})) == COUNT


def test_undo_skips_records_changed_since_and_can_be_repeated(boss: Visitor, films: list[str]) -> None:
    address = finished(send(boss, ids=films[:3], step="run", **EDIT))
    operations.update_document("movies", "B01", {"runtime": 90})
    undo = finished(boss.send(f"{address}/undo", form_on=address))
    assert [genres(film) for film in films[:3]] == [["war"], ["war", "drama"], ["war"]]
    report = boss.get(undo).text
    assert "has been changed since" in report
    assert 'href="/collections/movies/B01"' in report
    operations.update_document("movies", "B01", {"runtime": None})
    assert f'action="{address}/undo"' in boss.get(address).text
    finished(boss.send(f"{address}/undo", form_on="/collections/movies"))
    assert [genres(film) for film in films[:3]] == [["war"]] * 3
    again = boss.send(f"{address}/undo", form_on="/collections/movies")
    assert "It has been undone already" in boss.get(again.location).text
    assert f'action="{address}/undo"' not in boss.get(address).text


def test_only_a_jobs_owner_can_cancel_it(boss: Visitor, films: list[str]) -> None:
    address = send(boss, ids=films[:3], step="run", **EDIT).location
    page = boss.get(address).text
    assert f'data-job="{address}/state"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert boss.get(f"{address}/state").json == {"open": True, "text": "waiting", "done": 0, "total": 3}
    foreign = queue.create("edit", "movies", Actor("nobody", "nobody"), total=1, ids=[], conditions=[], changes=[])
    for action in ("cancel", "undo"):
        assert boss.send(f"/jobs/{foreign}/{action}", form_on="/collections/movies").status_code == 403
    assert boss.get(f"/jobs/{foreign}/changes").status_code == 403
    assert boss.send(f"{address}/cancel", form_on=address).status_code == 303
    queue.cancel(foreign)
    while runner.run_next():
        pass
    assert boss.get(f"{address}/state").json == {"open": False, "text": "cancelled", "done": 0, "total": 3}
    ended = boss.get(address).text
    assert "data-job=" not in ended
    assert "http-equiv" not in ended
    assert genres("B00") == ["war"]
    listed = boss.get("/jobs").text
    assert f'href="{address}"' in listed
    assert "Edit of movies" in listed


@pytest.mark.usefixtures("films")
def test_an_unknown_job_is_404(boss: Visitor) -> None:
    assert boss.get("/jobs/nothing").status_code == 404
    assert boss.get("/jobs/nothing/state").status_code == 404
    assert "No jobs yet" in boss.get("/jobs").text


def test_the_audit_log_shows_users_actions_and_changes(boss: Visitor, root: Visitor, films: list[str]) -> None:
    assert boss.get("/audit-log").status_code == 403
    assert "No entries yet" in root.get("/audit-log").text
    finished(send(boss, ids=films[:2], step="run", **EDIT))
    operations.update_document("movies", "B00", {"title": "<b>New</b>"}, actor=Actor("u", "someone"))
    page = root.get("/audit-log").text
    assert "bulk edit" in page
    assert "boss" in page
    assert "&lt;b&gt;New&lt;/b&gt;" in page
    only = root.get("/audit-log?username=Someone&action=edit").text
    assert "bulk edit</td>" not in only
    assert "Bulky B00" in only
    history = root.get("/audit-log?collection=movies&document_id=B01").text
    assert "No matching entries" in history
    _, _, by_jobs = history.partition("Changes to this record by bulk jobs")
    assert re.search(r"</time>, boss: <a [^>]*>edited<", by_jobs)
    assert not re.search(
        r"\d\d:\d\d:\d\d\.\d", re.sub(r'datetime="[^"]*"', "", page + history)
    )  # no fractions of seconds
    assert "war, drama" in history


def test_users_are_not_edited_in_bulk(boss: Visitor) -> None:
    answer = boss.send("/collections/users/bulk", {"action": "edit", "all": "1"}, form_on="/collections/users")
    assert answer.status_code == 303
    assert "Users can only be edited one by one" in boss.get(answer.location).text


def test_the_apps_worker_runs_a_job_and_stops(admin_app: Flask, films: list[str]) -> None:
    """The thread itself, with the deployed app's database user."""
    thread = worker.Worker(admin_app)
    thread.start()
    try:
        job_id = queue.create(
            "edit", "movies", Actor("u", "ada"), total=COUNT, ids=films, conditions=[], limit=None,
            changes=[{"field": "genres", "operation": "add", "value": ["drama"]}],
        )  # fmt: skip
        thread.wake()
        for _ in range(600):
            if queue.get(job_id)["state"] == "done":
                break
            thread._leaving.wait(0.05)
    finally:
        thread.stop()
    assert (queue.get(job_id)["state"], queue.get(job_id)["changed"]) == ("done", COUNT)
    assert not thread._thread.is_alive()


def test_the_worker_can_be_turned_off(make_app: Any) -> None:
    assert "job_worker" not in make_app("admin", JOB_WORKER="0").extensions
    with pytest.raises(connection.SettingError, match="JOB_WORKER"):
        make_app("admin", JOB_WORKER="yes")
    app = make_app("admin", JOB_WORKER="1")
    app.extensions["job_worker"].stop()
