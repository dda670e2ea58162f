"""Words, people and values to choose from follow writes to films and credits."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.core import Actor, DatabaseConfig, connection
from app.db.films import catalogue, person_directory
from app.db.records import Counts, LoadStopped, Settled
from app.db.search import derived, suggestions
from app.db.transfer import imports
from ops.local_cluster import LocalCluster

Raw = Database[dict[str, Any]]

pytestmark = pytest.mark.usefixtures("database")

EDITOR = Actor("u1", "editor")
FILM = {"_id": "f1", "title": "Quixotic Zebras", "type": "MOVIE", "genres": ["heist"], "release_year": 1937}
CREDIT = {"movie_id": "f1", "person_id": "p1", "name": "Ada Zimmer", "role": "ACTOR"}


def people(text: str) -> list[tuple[str, int]]:
    return [(person["name"], person["films"]) for person in person_directory.find(text)]


def offered(text: str) -> list[str]:
    return [suggestion.text for suggestion in suggestions.suggest(text)]


def test_a_new_film_is_suggested_and_its_values_can_be_chosen_at_once() -> None:
    operations.insert_one("movies", FILM)
    assert offered("quix") == ["Quixotic Zebras"]
    assert "heist" in dict(catalogue.genres())
    operations.update_document("movies", "f1", {"title": "Xylophones", "genres": ["farce"]})
    assert offered("xyl") == ["Xylophones"]
    assert "farce" in dict(catalogue.genres())


def test_people_follow_their_credits() -> None:
    operations.insert_one("movies", FILM)
    credit = operations.insert_one("credits", CREDIT)
    assert people("zimmer") == [("Ada Zimmer", 1)]
    operations.update_document("credits", credit, {"person_id": "p2", "name": "Bea Young"})
    assert (people("zimmer"), people("young")) == ([], [("Bea Young", 1)])
    operations.delete_document("credits", credit)
    assert people("young") == []


def test_people_of_a_deleted_film_are_people_of_the_others_only() -> None:
    operations.insert_one("movies", FILM)
    operations.insert_one("movies", {**FILM, "_id": "f2"})
    for credit in (CREDIT, {**CREDIT, "movie_id": "f2"}, {**CREDIT, "person_id": "p2", "name": "Bea Young"}):
        operations.insert_one("credits", credit)
    operations.delete_document("movies", "f1", cascade=True, actor=EDITOR)
    assert (people("zimmer"), people("young")) == ([("Ada Zimmer", 1)], [])


@pytest.mark.parametrize(("rows", "look"), [([FILM], "quix"), ([CREDIT], "zimm")], ids=["films", "credits"])
def test_an_import_brings_all_of_it_up_to_date(
    rows: list[dict[str, object]], look: str, add_films: Callable[..., None]
) -> None:
    if rows == [CREDIT]:
        operations.insert_one("movies", FILM)
    assert offered(look) == []
    imports.import_stream(io.BytesIO(json.dumps(rows).encode()), "rows.json")
    assert len(offered(look)) == 1


def test_a_small_library_is_recounted_completely(database: Raw) -> None:
    database.search_words.insert_one({"_id": "stale", "films": 1, "people": 0})
    load(FILM, {**FILM, "_id": "f2"})
    assert catalogue.genres() == [("heist", 2)]
    assert database.search_words.find_one({"_id": "stale"}) is None


def load(*rows: Mapping[str, object], strict: bool = False) -> Counts:
    return imports.import_stream(io.BytesIO(json.dumps(rows).encode()), "rows.json", strict=strict)[1]


def test_a_small_import_is_noted_and_a_large_one_recounted(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that no title has shows whether everything was recounted."""
    monkeypatch.setattr(derived, "LARGE", -1)  # this library is
    database.search_words.insert_one({"_id": "stale", "films": 1, "people": 0})
    load(FILM)
    load(CREDIT)
    assert (offered("quix"), people("zimmer")) == (["Quixotic Zebras"], [("Ada Zimmer", 1)])
    assert database.search_words.find_one({"_id": "stale"}) is not None
    monkeypatch.setattr(derived, "MOST_NOTED", 1)
    load(FILM, {**FILM, "_id": "f2", "title": "Xylophones"})
    assert database.search_words.find_one({"_id": "stale"}) is not None, "one of the two was there already"
    load({**FILM, "_id": "f3", "title": "Yodellers"}, {**FILM, "_id": "f4", "title": "Zithers"})
    assert offered("yodel") == ["Yodellers"]
    assert database.search_words.find_one({"_id": "stale"}) is None


def test_a_continued_load_includes_what_a_dead_process_loaded(database: Raw) -> None:
    load(FILM)
    database.search_words.delete_many({})
    rows = io.BytesIO(json.dumps([FILM, {**FILM, "_id": "f2", "title": "Xylophones"}]).encode())
    imports.import_stream(rows, "rows.json", begin=Settled(1, 0, Counts(inserted=1)))
    assert (offered("quix"), offered("xyl")) == (["Quixotic Zebras"], ["Xylophones"])


def test_what_was_loaded_before_a_stop_is_included() -> None:
    with pytest.raises(LoadStopped):
        load(FILM, {"_id": "f2", "title": ""}, strict=True)
    assert offered("quix") == ["Quixotic Zebras"]


@pytest.mark.parametrize("most", [0, 10])
def test_an_import_succeeds_even_if_derived_collections_fail(
    database: Raw, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, most: int
) -> None:
    monkeypatch.setattr(derived, "MOST_NOTED", most)
    monkeypatch.setattr(derived, "LARGE", -1)
    database.command("collMod", "search_words", validator={"films": {"$lt": 0}})
    try:
        assert load(FILM).inserted == 1
    finally:
        database.command("collMod", "search_words", validator={})
    assert "film-library recommend will repair them" in caplog.text


def test_a_failed_note_does_not_undo_the_write(mongodb: LocalCluster) -> None:
    """The user app's database user may read what is derived, not write it."""
    connection.connect(DatabaseConfig(mongodb.uri("film-library-user"), database="movie_library"))
    derived.note("movies", {**FILM, "search_tokens": ["quixotic"]})
    derived.note("credits", CREDIT)
