"""Bulk deletions with dependents, their undo, and jobs whose worker dies, is slow or is cancelled."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from bulk_jobs import ADA, ALL, Films, films, run, undone, whole
from pymongo.database import Database

from app.db import operations
from app.db.accounts import users
from app.db.core import BadQuery, NotFound, Row, audit, now
from app.db.jobs import Change, Selection, bulk_edit, bulk_steps, queue, runner

Raw = Database[Row]
EVERYTHING = ("movies", "credits", "user_interactions", "movie_ids")
RATED = {"imdb_score": 8.0, "imdb_votes": 500, "genres": ["war"]}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_steps, "BATCH", 3)


@pytest.fixture
def library(add_films: Films, database: Raw) -> Raw:
    """Eight films; the first has four credits and three likes."""
    add_films(*({"title": f"Film {n}", **RATED} for n in range(8)))
    for n in range(4):
        operations.insert_credit({"movie_id": "f001", "name": f"Person {n}", "role": "ACTOR"})
    for n in range(3):
        database.users.insert_one(
            {"_id": f"u{n}", "username": f"u{n}", "password_hash": "none", "admin_status": 0, "created_at": now()}
        )
        operations.insert_one("user_interactions", {"movie_id": "f001", "user_id": f"u{n}"})
    return database


def test_a_deletion_includes_dependents_and_can_be_undone(library: Raw) -> None:
    before = whole(library, *EVERYTHING)
    chosen = Selection(ids=("f001", "f003"))
    assert bulk_edit.count_dependents("movies", chosen) == {"credits": 4, "user_interactions": 3}
    job = run("delete", chosen)
    assert (job["state"], job["done"], job["changed"]) == ("done", 2, 2)
    after = whole(library, *EVERYTHING)
    assert [len(rows) for rows in after.values()] == [6, 0, 0, 6]
    undo = undone(job)
    assert (undo["state"], undo["total"], undo["changed"], undo["failed"]) == ("done", 9, 9, 0)
    assert whole(library, *EVERYTHING) == before


def test_more_dependents_than_one_step_can_delete(library: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_steps, "MAX_DEPENDENTS", 2)
    before = whole(library, *EVERYTHING)
    job = run("delete", ALL)
    assert job["changed"] == 8
    assert [len(rows) for rows in whole(library, *EVERYTHING).values()] == [0, 0, 0, 0]
    assert undone(job)["failed"] == 0
    assert whole(library, *EVERYTHING) == before


def test_undoing_an_edit_restores_every_record_exactly(library: Raw) -> None:
    before = whole(library, *EVERYTHING)
    job = run("edit", ALL, Change("title", "set", "One"), Change("genres", "unset"), Change("imdb_score", "set", 1))
    assert job["changed"] == 8
    assert {film["ranking_score"] for film in before["movies"]} != set(films("ranking_score").values())
    assert undone(job)["changed"] == 8
    assert whole(library, *EVERYTHING) == before


@pytest.mark.usefixtures("library")
def test_records_changed_since_are_kept_and_reported() -> None:
    job = run("edit", ALL, Change("genres", "set", "drama"))
    operations.update_document("movies", "f002", {"runtime": 90})
    operations.delete_document("movies", "f003")
    undo = undone(job)
    assert (undo["changed"], undo["failed"]) == (6, 2)
    assert {error["document_id"]: error["reason"] for error in undo["errors"]} == {
        "f002": "has been changed since",
        "f003": "has been deleted since",
    }
    assert films("genres") == {f"f{n:03}": ["drama"] if n == 2 else ["war"] for n in (1, 2, 4, 5, 6, 7, 8)}


def test_recreated_records_are_kept_and_a_credits_film_must_exist(library: Raw) -> None:
    gone = run("delete", Selection(ids=("f001", "f002", "f003")))
    operations.insert_one("movies", {"_id": "f002", "title": "Another", "type": "MOVIE"})
    operations.insert_one("movies", {"_id": "f001", "title": "Another", "type": "MOVIE"})
    operations.delete_document("movies", "f001")
    undo = undone(gone)
    assert {error["document_id"]: error["reason"] for error in undo["errors"]} == {"f002": "exists again"}
    assert films("title")["f002"] == "Another"
    assert len(whole(library, "credits")["credits"]) == 4

    credit = str(whole(library, "credits")["credits"][0]["_id"])
    gone = run("delete", Selection(ids=(credit,)), collection="credits")
    operations.delete_document("movies", "f001", cascade=True)
    (error,) = undone(gone)["errors"]
    assert error == {"collection": "credits", "document_id": credit, "reason": "movie_id: f001 no longer exists"}


@pytest.mark.usefixtures("library")
def test_undo_can_be_repeated_once_the_obstacle_is_gone() -> None:
    before = films("runtime")
    first, second = (run("edit", ALL, Change("runtime", "set", minutes)) for minutes in (50, 60))
    assert undone(first)["failed"] == 8
    undone(second)
    assert undone(first)["changed"] == 8
    assert films("runtime") == before
    with pytest.raises(BadQuery, match="already"):
        queue.undo(first["_id"], ADA)


@pytest.mark.usefixtures("library")
def test_only_recent_finished_jobs_can_be_undone_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = bulk_edit.start("edit", "movies", ALL, ADA, [Change("runtime", "set", 90)])
    with pytest.raises(BadQuery, match="not ended"):
        queue.undo(job_id, ADA)
    runner.run_next()
    later = now() + timedelta(hours=24, minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr(queue, "now", lambda: later)
        with pytest.raises(BadQuery, match="24 hours"):
            queue.undo(job_id, ADA)
    undo_id = queue.undo(job_id, ADA)
    for attempt in (job_id, undo_id):
        with pytest.raises(BadQuery):
            queue.undo(attempt, ADA)
    with pytest.raises(BadQuery, match="changed nothing"):
        queue.undo(run("edit", Selection(ids=("f001",)), Change("type", "set", "MOVIE"))["_id"], ADA)
    with pytest.raises(NotFound):
        queue.undo("nothing", ADA)


def stop_after(steps: int) -> Callable[[], bool]:
    """For `run_next`: the process is about to end, after so many steps."""
    calls = iter(range(100))
    return lambda: next(calls) >= steps


@pytest.mark.usefixtures("library")
def test_an_interrupted_undo_continues() -> None:
    job = run("edit", ALL, Change("runtime", "set", 90))
    undo_id = queue.undo(job["_id"], ADA)
    runner.run_next(stop_after(1))
    queue.cancel(undo_id)
    runner.run_next()
    assert (queue.get(undo_id)["state"], queue.get(undo_id)["changed"]) == ("cancelled", 3)
    rest = undone(job)
    assert (rest["total"], rest["changed"], rest["failed"]) == (5, 5, 0)
    assert set(films("runtime").values()) == {None}


@pytest.mark.usefixtures("library")
def test_a_released_job_continues_after_its_last_step() -> None:
    job_id = bulk_edit.start("edit", "movies", ALL, ADA, [Change("genres", "add", "drama")])
    assert runner.run_next(stop_after(1))
    assert (queue.get(job_id)["state"], queue.get(job_id)["done"]) == ("running", 3)
    operations.update_document("movies", "f001", {"genres": ["comedy"]})  # done already: isn't done again
    assert runner.run_next()
    assert (queue.get(job_id)["state"], queue.get(job_id)["done"], queue.get(job_id)["changed"]) == ("done", 8, 8)
    assert films("genres")["f001"] == ["comedy"]
    assert films("genres")["f008"] == ["war", "drama"]


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_step_is_rolled_back_when_its_worker_dies(
    database: Raw, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Before or after the last write of the step, when all others are made."""
    advance = queue.advance

    def die(*arguments: Any, **options: Any) -> None:
        if moment == "after":
            advance(*arguments, **options)
        raise SystemExit

    job_id = bulk_edit.start("delete", "movies", ALL, ADA)
    with monkeypatch.context() as patch:
        patch.setattr(queue, "advance", die)
        with pytest.raises(SystemExit):
            runner.run_next()
    assert queue.get(job_id)["done"] == 0
    assert len(films("title")) == 8
    assert database.audit_changes.count_documents({}) == 0
    assert not runner.run_next()  # the lease is the dead worker's yet
    later = now() + queue.LEASE
    monkeypatch.setattr(queue, "now", lambda: later)
    assert runner.run_next()
    assert (queue.get(job_id)["state"], queue.get(job_id)["changed"], films("title")) == ("done", 8, {})
    assert database.audit_changes.count_documents({}) == 8 + 4 + 3


@pytest.mark.usefixtures("library")
def test_a_slow_worker_writes_nothing_after_another_took_over(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = bulk_edit.start("edit", "movies", ALL, ADA, [Change("runtime", "set", 90)])
    taken = queue.take()
    assert taken is not None
    slow = bulk_steps.edit(*taken)
    next(slow)
    operations.update_document("movies", "f004", {"runtime": 5})
    later = now() + queue.LEASE
    monkeypatch.setattr(queue, "now", lambda: later)
    assert queue.take() is not None
    with pytest.raises(queue.JobStopped):
        next(slow)
    assert films("runtime")["f004"] == 5
    assert queue.get(job_id)["done"] == 3


@pytest.mark.usefixtures("library")
def test_a_job_without_progress_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = bulk_edit.start("edit", "movies", ALL, ADA, [Change("runtime", "set", 90)])
    for attempt in range(1, queue.MAX_ATTEMPTS + 1):
        assert queue.take() is not None
        later = now() + attempt * queue.LEASE
        monkeypatch.setattr(queue, "now", lambda later=later: later)
    assert runner.run_next()
    assert queue.get(job_id)["state"] == "failed"
    assert set(films("runtime").values()) == {None}


@pytest.mark.usefixtures("library")
def test_a_cancelled_job_stops_between_steps_and_what_it_did_can_be_undone() -> None:
    job_id = bulk_edit.start("edit", "movies", ALL, ADA, [Change("runtime", "set", 90)])
    runner.run_next(stop_after(1))
    queue.cancel(job_id)
    runner.run_next()
    job = queue.get(job_id)
    assert (job["state"], job["changed"]) == ("cancelled", 3)
    assert undone(job)["changed"] == 3
    assert set(films("runtime").values()) == {None}
    queue.cancel(job_id)
    assert queue.get(job_id)["cancel"] is True
    assert queue.get(job_id)["state"] == "cancelled"


@pytest.mark.usefixtures("library")
def test_a_deletion_deletes_no_more_than_was_confirmed() -> None:
    run_later = bulk_edit.start("delete", "movies", ALL, ADA)
    operations.insert_one("movies", {"_id": "z", "title": "Late", "type": "MOVIE"})
    runner.run_next()
    assert queue.get(run_later)["changed"] == 8
    assert films("title") == {"z": "Late"}


def test_users_are_deleted_in_bulk_and_hashes_not_logged(database: Raw) -> None:
    for name in ("ann", "eve"):
        users.sign_up(name, "three blind mice 1927")
    database.users.update_one({"username": "eve"}, {"$set": {"admin_status": 0}})  # as earlier releases' users
    before = whole(database, "users")
    job = run("delete", ALL, collection="users")
    assert (job["changed"], job["failed"]) == (2, 0)
    assert database.users.count_documents({}) == 0
    assert undone(job)["changed"] == 2
    assert whole(database, "users") == before
    shown = audit.changes_page(job=job["_id"]).rows
    assert len(shown) == 2
    assert "argon2" not in str(shown) + str(list(database.audit_log.find()))


@pytest.mark.usefixtures("library")
def test_a_job_is_one_entry_in_the_audit_log_and_its_changes_one_each() -> None:
    job = run("edit", ALL, Change("runtime", "set", 90))
    undo = undone(job)
    undone_entry, entry = audit.list_page().rows
    assert (entry["action"], entry["username"], entry["job"], entry["count"]) == ("bulk edit", "ada", job["_id"], 8)
    assert (undone_entry["action"], undone_entry["job"], undone_entry["count"]) == ("undo", undo["_id"], 8)
    rows = audit.changes_page(job=job["_id"], limit=5).rows
    assert [(row["document_id"], row["before"], row["after"]) for row in rows[:2]] == [
        ("f001", {}, {"runtime": 90}),
        ("f002", {}, {"runtime": 90}),
    ]
    (own,) = audit.changes_page(collection="movies", document_id="f002").rows
    assert own["job"] == job["_id"]


@pytest.mark.usefixtures("library")
def test_concurrent_workers_run_each_job_once(database: Raw) -> None:
    ids = [bulk_edit.start("edit", "movies", ALL, ADA, [Change("genres", "add", f"g{n}")]) for n in range(4)]

    def work() -> None:
        while runner.run_next():
            pass

    with ThreadPoolExecutor(3) as pool:
        for worker in [pool.submit(work) for _ in range(3)]:
            worker.result()
    done = [queue.get(job_id) for job_id in ids]
    assert [(job["state"], job["done"], job["changed"], job["attempts"]) for job in done] == [("done", 8, 8, 0)] * 4
    assert {frozenset(genres) for genres in films("genres").values()} == {frozenset(["war", "g0", "g1", "g2", "g3"])}
    assert database.audit_changes.count_documents({}) == 4 * 8


@pytest.mark.usefixtures("library")
def test_a_job_and_a_concurrent_edit_both_succeed() -> None:
    bulk_edit.start("edit", "movies", ALL, ADA, [Change("genres", "set", "drama")])

    def edit() -> None:
        for number in range(24):
            operations.update_document("movies", f"f{number % 8 + 1:03}", {"runtime": number})

    with ThreadPoolExecutor(1) as pool:
        editing = pool.submit(edit)
        assert runner.run_next()
        editing.result()
    assert set(map(tuple, films("genres").values())) == {("drama",)}
    assert films("runtime") == {f"f{n:03}": 15 + n for n in range(1, 9)}
