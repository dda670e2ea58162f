"""Saved views, and what forms and pickers read from the database."""

import pytest

from app.db import operations
from app.db.core import COLLECTIONS, Actor, BadQuery, ValidationFailed
from app.db.records import fields, saved_views
from app.db.search import references

ADA, BOB = Actor("u1", "ada"), Actor("u2", "bob")

pytestmark = pytest.mark.usefixtures("database")


def names(actor: Actor, collection: str = "movies") -> list[str]:
    return [view["name"] for view in saved_views.list_views(actor, collection)]


def test_everybody_has_names_of_their_own() -> None:
    saved_views.save(ADA, "movies", "Long", "rows=25")
    saved_views.save(BOB, "movies", "Long", "rows=50", shared=True)
    saved_views.save(ADA, "credits", "Long", "rows=100")
    assert [(view["query"], view["own"]) for view in saved_views.list_views(ADA, "movies")] == [
        ("rows=25", True),
        ("rows=50", False),
    ]
    assert not saved_views.remove(ADA, "movies", "Short")
    assert saved_views.remove(ADA, "movies", "Long")
    assert not saved_views.remove(ADA, "movies", "Long")
    assert names(ADA) == ["Long"]
    assert names(ADA, "credits") == ["Long"]


def test_the_number_of_views_is_limited() -> None:
    for number in range(saved_views.MAX_VIEWS):
        saved_views.save(ADA, "movies", f"View {number}", "rows=25")
    with pytest.raises(BadQuery, match="delete one"):
        saved_views.save(ADA, "movies", "One more", "rows=25")
    saved_views.save(ADA, "movies", "View 7", "rows=50")  # there already: replaced
    saved_views.save(ADA, "credits", "One more", "rows=25")
    saved_views.save(BOB, "movies", "One more", "rows=25")
    assert len(names(ADA)) == saved_views.MAX_VIEWS


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\nb\0", 5, {"$ne": ""}])
def test_a_name_is_a_short_text(name: object) -> None:
    with pytest.raises(ValidationFailed):
        saved_views.save(ADA, "movies", name, "rows=25")  # type: ignore[arg-type]


def test_other_invalid_values_are_refused() -> None:
    for attempt in (
        lambda: saved_views.save(ADA, "sessions", "Name", "rows=25"),
        lambda: saved_views.save(ADA, "movies", "Name", "x" * (saved_views.MAX_QUERY + 1)),
        lambda: saved_views.list_views(ADA, "sessions"),
        lambda: saved_views.remove(ADA, "movies", {"$ne": ""}),  # type: ignore[arg-type]
        lambda: references.suggest("sessions", "a"),
        lambda: references.suggest("movies", {"$ne": ""}),  # type: ignore[arg-type]
        lambda: references.names_of("credits", ["a"]),
    ):
        with pytest.raises(BadQuery):
            attempt()


def test_names_of_existing_documents() -> None:
    operations.insert_one("movies", {"_id": "f1", "title": "Alpha", "type": "MOVIE"})
    assert references.names_of("movies", ["f1", "f2", {"$ne": ""}]) == {"f1": "Alpha"}  # type: ignore[list-item]
    assert references.names_of("movies", []) == {}


def test_the_document_of_the_id_comes_first() -> None:
    operations.insert_one("movies", {"_id": "alpha", "title": "Zeta", "type": "MOVIE"})
    operations.insert_one("movies", {"_id": "f1", "title": "Alpha", "type": "MOVIE", "release_year": 1990})
    assert [row["_id"] for row in references.suggest("movies", " alpha ")] == ["alpha", "f1"]
    assert [row["_id"] for row in references.suggest("movies", "alp")] == ["f1"]


def test_every_field_is_described_but_the_private_ones() -> None:
    for collection in COLLECTIONS:
        assert list(fields.describe(collection)) == operations.get_keys(collection)
    movies, credit = fields.describe("movies"), fields.describe("credits")
    assert [name for name, field in movies.items() if field.needed] == ["title", "type"]
    assert [name for name, field in credit.items() if field.needed] == ["movie_id", "name", "role"]
    assert [name for name, field in credit.items() if field.fixed] == ["_id", "movie_id"]
    assert [name for name, field in movies.items() if field.fixed] == ["_id"]
    assert (credit["movie_id"].refers_to, movies["genres"].kind, movies["runtime"].kind) == (
        "movies",
        "list",
        "integer",
    )
