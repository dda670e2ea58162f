"""A film's page: ratings, people, and missing films."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from web_visitor import Visitor

from app.db import operations
from app.user.posters import poster
from ops.local_cluster import LocalCluster

CAST = 17


@pytest.fixture
def unrated(library: LocalCluster, visitor: Visitor, boss: Visitor) -> Iterator[str]:
    """The page of an unrated film with a large cast. Writes through the admin app's connection."""
    operations.insert_one("movies", {"_id": "F1", "title": "Unseen", "type": "MOVIE"})
    for number in range(CAST):
        operations.insert_credit({"movie_id": "F1", "name": f"Extra {number:02}", "role": "ACTOR"})
    yield visitor.page("/films/F1")
    with library.client() as client:
        for name, field in (("movies", "_id"), ("movie_ids", "_id"), ("credits", "movie_id")):
            client.movie_library[name].delete_many({field: "F1"})
        client.movie_library.people.delete_many({"name": {"$regex": "^Extra "}})


def test_an_unrated_film_has_no_rating(unrated: str, visitor: Visitor) -> None:
    assert "Not rated yet" in unrated
    assert "rating-value" not in unrated
    assert "Not rated yet" not in visitor.page("/films/Q1")


def test_a_large_cast_is_folded(unrated: str) -> None:
    before, folded = unrated.split("<details", 1)
    assert f"<summary>Show all {CAST}</summary>" in folded
    assert [len(re.findall(r">Extra \d", part)) for part in (before, folded)] == [15, 2]


@pytest.mark.parametrize("path", ["/films/nope", "/films/%00", f"/films/{'x' * 99}", "/people/nobody", "/people/%00"])
def test_a_missing_film_or_person_offers_a_search(visitor: Visitor, path: str) -> None:
    response = visitor.get(path)
    assert response.status_code == 404
    main = response.text[response.text.index("<main") :]
    assert f"There is no such {'film' if 'film' in path else 'person'} in the library" in main
    assert 'action="/search"' in main
    assert 'href="/catalogue"' in main
    assert "control character" not in response.text


def test_only_pages_with_films_explain_scores(visitor: Visitor) -> None:
    assert "Each score names its source" in visitor.page("/films/Q1")
    pages = visitor.page("/log-in"), visitor.page("/sign-up"), visitor.get("/nope").text
    assert not any("Each score names its source" in page for page in pages)


def test_designed_posters_of_one_genre_differ() -> None:
    """These two once had the same poster, side by side."""
    films = [
        {"title": "Vertigo", "release_year": 1958, "genres": ["thriller"]},
        {"title": "Shadow of a Doubt", "release_year": 1943, "genres": ["thriller"]},
    ]
    assert len({poster(film)._replace(size="") for film in films}) == 2
