"""Posters stay in step with their films under concurrent writes, deletions and changes of title."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bulk_jobs import ADA, Films, run, undone
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, NotFound, Row, audit
from app.db.films import Picture, posters
from app.db.jobs import Change, Selection

Raw = Database[Row]
ONE, OTHER = Picture(b"small one", b"large one"), Picture(b"small other", b"large other")
FIRST = Selection(ids=("f001",))


@pytest.fixture(autouse=True)
def _films(add_films: Films) -> None:
    add_films("Alpha", "Beta")


def version(film: str = "f001") -> str | None:
    """The version that a film says its poster has."""
    found: str | None = operations.find_document("movies", film).get("poster")
    return found


def actions(film: str = "f001") -> list[Any]:
    return [(row["username"], row["action"], row.get("poster")) for row in audit.list_page(document_id=film).rows]


def test_a_poster_is_added_replaced_and_removed_and_each_is_written_down(database: Raw) -> None:
    assert posters.store("f001", ONE, actor=ADA) == ONE.version == version()
    assert posters.read("f001", "small") == (ONE.version, b"small one")
    assert posters.read("f001", "large") == (ONE.version, b"large one")
    posters.store("f001", OTHER, actor=ADA)
    assert posters.read("f001", "small") == (OTHER.version, b"small other")
    assert version() == OTHER.version != ONE.version
    assert posters.remove("f001", actor=ADA)
    assert version() is None
    with pytest.raises(NotFound):
        posters.read("f001", "small")
    assert database.posters.count_documents({}) == 0
    assert actions() == [("ada", "edit", action) for action in ("removed", "replaced", "added")]


def test_an_unchanged_poster_is_not_logged() -> None:
    posters.store("f001", ONE, actor=ADA)
    posters.store("f001", ONE, actor=ADA)
    assert posters.remove("f001", actor=ADA)
    assert not posters.remove("f001", actor=ADA)
    assert len(actions()) == 2


@pytest.mark.parametrize(("film", "error"), [("nothing", NotFound), ({"$ne": None}, BadQuery), ("a/b", BadQuery)])
def test_only_films_have_posters(database: Raw, film: Any, error: type[Exception]) -> None:
    for call in (
        lambda: posters.store(film, ONE, actor=ADA),
        lambda: posters.remove(film, actor=ADA),
        lambda: posters.read(film, "small"),
    ):
        with pytest.raises(error):
            call()
    assert database.posters.count_documents({}) == 0


def test_no_other_field_is_sent_as_a_size() -> None:
    posters.store("f001", ONE, actor=ADA)
    for size in ("by", "_id", "medium", ""):
        with pytest.raises(NotFound):
            posters.read("f001", size)


def test_an_edited_film_keeps_its_poster_and_a_deleted_one_takes_it_along(database: Raw) -> None:
    posters.store("f001", ONE, actor=ADA)
    for changes in ({"runtime": 90}, {"title": "Another title"}, {"runtime": None}):
        operations.update_document("movies", "f001", changes)
        assert version() == ONE.version
    run("edit", FIRST, Change("title", "set", "And another"))
    assert version() == ONE.version
    operations.delete_document("movies", "f001")
    assert database.posters.count_documents({}) == 0


def test_a_poster_is_no_field_of_the_form() -> None:
    operations.update_document("movies", "f001", {"poster": "forged"})
    assert version() is None


def test_films_deleted_in_bulk_come_back_with_their_posters(database: Raw) -> None:
    posters.store("f001", ONE, actor=ADA)
    job = run("delete", Selection(ids=("f001", "f002")))
    with pytest.raises(NotFound):
        posters.read("f001", "small")
    assert undone(job)["changed"] == 2
    assert posters.read("f001", "small") == (ONE.version, b"small one")
    assert version() == ONE.version
    assert "retired_at" not in database.posters.find_one({"movie_id": "f001"})


def test_films_whose_posters_are_not_kept_any_more_come_back_without(database: Raw) -> None:
    posters.store("f001", ONE, actor=ADA)
    job = run("delete", FIRST)
    database.posters.delete_many({})  # as the index on retired_at does in time
    assert undone(job)["changed"] == 1
    assert version() is None


def test_a_new_film_of_the_same_id_does_not_inherit(database: Raw) -> None:
    posters.store("f001", ONE, actor=ADA)
    run("delete", FIRST)
    operations.insert_one("movies", {"_id": "f001", "title": "Newcomer", "type": "MOVIE"})
    assert version() is None
    with pytest.raises(NotFound):
        posters.read("f001", "small")
    posters.store("f001", OTHER, actor=ADA)
    assert posters.read("f001", "small") == (OTHER.version, b"small other")
    assert "retired_at" not in database.posters.find_one({"movie_id": "f001"})


def test_what_fails_halfway_leaves_nothing(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the worker dies")

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        posters.store("f001", ONE, actor=ADA)
    assert version() is None
    assert database.posters.count_documents({}) == 0


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What the calls return or raise, begun together."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    return [future.exception() or future.result() for future in futures]


def test_several_uploads_at_once_leave_one_poster_and_the_film_names_it(database: Raw) -> None:
    pictures = [Picture(b"small %d" % number, b"large %d" % number) for number in range(6)]
    at_once(*(lambda picture=picture: posters.store("f001", picture, actor=ADA) for picture in pictures))
    (kept,) = database.posters.find({})
    assert kept["version"] == version() in {picture.version for picture in pictures}
    assert len(actions()) == len(pictures)


@pytest.mark.parametrize("meanwhile", ["deleted", "renamed"])
def test_an_upload_while_the_film_changes_leaves_no_stray(database: Raw, meanwhile: str) -> None:
    def change() -> object:
        if meanwhile == "deleted":
            return operations.delete_document("movies", "f001")
        return operations.update_document("movies", "f001", {"title": "Renamed"})

    for _ in range(5):
        at_once(lambda: posters.store("f001", ONE, actor=ADA), change)
        named = {row["_id"]: row["poster"] for row in database.movies.find({"poster": {"$exists": True}})}
        assert named == {row["movie_id"]: row["version"] for row in database.posters.find({})}
        assert named or meanwhile == "deleted"
        operations.delete_document("movies", "f001")
        operations.insert_one("movies", {"_id": "f001", "title": "Alpha", "type": "MOVIE"})
