"""Bulk edits: what they change, what they leave, and what is refused."""

from typing import Any

import pytest
from bulk_jobs import ADA, ALL, Films, films, run

from app.db import operations
from app.db.core import BadQuery, Condition, ValidationFailed
from app.db.jobs import Change, Selection, bulk_edit, bulk_steps, queue

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_steps, "BATCH", 3)


def test_an_edit_changes_what_the_filter_finds_and_nothing_else(add_films: Films) -> None:
    add_films(*({"title": f"Film {n}", "release_year": 1990 + n} for n in range(10)))
    chosen = Selection(conditions=(Condition("release_year", "gte", "1993"),))
    job = run("edit", chosen, Change("age_certification", "set", "PG"))
    assert (job["state"], job["total"], job["done"], job["changed"], job["failed"]) == ("done", 7, 7, 7, 0)
    assert films("age_certification") == {f"f{n:03}": "PG" if n > 3 else None for n in range(1, 11)}


def test_a_list_field_gains_and_loses_items(add_films: Films) -> None:
    add_films({"genres": ["war", "drama"]}, {"genres": ["drama"]}, "Alpha")
    job = run("edit", ALL, Change("genres", "add", "Drama, comedy"))
    assert job["changed"] == 3
    assert films("genres") == {
        "f001": ["war", "drama", "comedy"],
        "f002": ["drama", "comedy"],
        "f003": ["drama", "comedy"],
    }
    run("edit", ALL, Change("genres", "remove", "drama, comedy"))
    assert films("genres") == {"f001": ["war"], "f002": None, "f003": None}
    assert run("edit", ALL, Change("genres", "remove", "drama"))["changed"] == 0


def test_a_record_that_would_break_a_rule_is_unchanged_and_reported(add_films: Films) -> None:
    full = [f"g{n}" for n in range(100)]
    add_films({"genres": full}, {"genres": ["war"]})
    job = run("edit", ALL, Change("genres", "add", "drama"))
    assert (job["state"], job["done"], job["changed"], job["failed"]) == ("done", 2, 1, 1)
    assert job["errors"] == [
        {"collection": "movies", "document_id": "f001", "reason": "genres: must have at most 100 items"}
    ]
    assert films("genres") == {"f001": full, "f002": ["war", "drama"]}


def test_a_record_that_the_database_refuses_does_not_affect_others(add_films: Films) -> None:
    add_films("Alpha")
    parts = [{"movie_id": "f001", "person_id": f"p{n}", "name": "Ann", "role": "ACTOR"} for n in range(4)]
    for part in [*parts, {**parts[1], "character": "The Clerk"}]:
        operations.insert_credit(part)
    job = run("edit", ALL, Change("character", "set", "The Clerk"), collection="credits")
    assert (job["state"], job["done"], job["changed"], job["failed"]) == ("done", 5, 3, 1)
    assert [error["reason"] for error in job["errors"]] == ["another record like this exists"]
    assert len(operations.list_documents("credits", filter_by={"character": "The Clerk"})) == 4


def test_a_film_is_found_by_a_title_edited_in_bulk(add_films: Films, database: Any) -> None:
    add_films("Alpha", "Beta")
    run("edit", ALL, Change("title", "set", "Gamma"))
    rows = operations.list_documents("movies")
    assert {(row["title"], row["title_norm"], row["title_hash"]) for row in rows} == {
        ("Gamma", "gamma", operations.custom_hash("Gamma"))
    }
    claims = {claim["_id"]: claim["title_hash"] for claim in database.movie_ids.find()}
    assert claims == dict.fromkeys(("f001", "f002"), operations.custom_hash("Gamma"))


@pytest.mark.parametrize(
    "change",
    [
        Change("genres", "multiply", "2"),
        Change("title", "unset"),
        Change("title", "add", "x"),
        Change("_id", "set", "x"),
        Change("title_hash", "set", 1),
        Change("nothing", "set", "x"),
    ],
)
def test_invalid_changes_are_refused(change: Change) -> None:
    with pytest.raises(BadQuery):
        bulk_edit.start("edit", "movies", ALL, ADA, [change])


def test_invalid_values_are_refused_with_a_reason() -> None:
    with pytest.raises(ValidationFailed, match="runtime: must be a whole number"):
        bulk_edit.start("edit", "movies", ALL, ADA, [Change("runtime", "set", "long")])
    with pytest.raises(ValidationFailed, match="genres: is missing"):
        bulk_edit.start("edit", "movies", ALL, ADA, [Change("genres", "add", " , ")])
    with pytest.raises(BadQuery, match="say what to change"):
        bulk_edit.start("edit", "movies", ALL, ADA)
    assert queue.list_page().rows == []


def test_users_are_not_edited_in_bulk() -> None:
    assert bulk_edit.editable_fields("users") == ()
    with pytest.raises(BadQuery):
        bulk_edit.start("edit", "users", ALL, ADA, [Change("admin_status", "set", "2")])


@pytest.mark.parametrize("kind", ["edit", "delete"])
def test_administrators_are_not_changed_in_bulk(kind: str) -> None:
    assert bulk_edit.editable_fields("administrators") == ()
    with pytest.raises(BadQuery, match="one by one"):
        bulk_edit.start(kind, "administrators", ALL, ADA, [Change("admin_status", "set", "2")])
