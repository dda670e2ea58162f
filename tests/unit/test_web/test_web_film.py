"""The page of a film: what it says of ratings and people, and what there is where a film isn't."""

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
    """The page of a film that nobody rated, with a large cast. The admin app, made last, has lent its connection."""
    operations.insert_one("movies", {"_id": "F1", "title": "Unseen", "type": "MOVIE"})
    for number in range(CAST):
        operations.insert_credit({"movie_id": "F1", "name": f"Extra {number:02}", "role": "ACTOR"})
    yield visitor.page("/films/F1")
    with library.client() as client:
        for name, field in (("movies", "_id"), ("movie_ids", "_id"), ("credits", "movie_id")):
            client.movie_library[name].delete_many({field: "F1"})
        client.movie_library.people.delete_many({"name": {"$regex": "^Extra "}})


def test_what_nobody_rated_has_no_rating(unrated: str, visitor: Visitor) -> None:
    assert "Not rated yet" in unrated
    assert "rating-value" not in unrated
    assert "Not rated yet" not in visitor.page("/films/Q1")


def test_of_a_large_cast_the_less_known_are_folded_away(unrated: str) -> None:
    before, folded = unrated.split("<details", 1)
    assert f"<summary>Show all {CAST}</summary>" in folded
    assert [len(re.findall(r">Extra \d", part)) for part in (before, folded)] == [15, 2]


@pytest.mark.parametrize("path", ["/films/nope", "/films/%00", f"/films/{'x' * 99}", "/people/nobody", "/people/%00"])
def test_where_nothing_is_one_can_look_for_it(visitor: Visitor, path: str) -> None:
    response = visitor.get(path)
    assert response.status_code == 404
    main = response.text[response.text.index("<main") :]
    assert f"There is no such {'film' if 'film' in path else 'person'} in the library" in main
    assert 'action="/search"' in main
    assert 'href="/catalogue"' in main
    assert "control character" not in response.text


def test_only_pages_with_films_explain_scores(visitor: Visitor) -> None:
    assert "Scores are named" in visitor.page("/films/Q1")
    pages = visitor.page("/log-in"), visitor.page("/sign-up"), visitor.get("/nope").text
    assert not any("Scores are named" in page for page in pages)


def test_designed_posters_of_one_genre_differ() -> None:
    """These two once stood beside each other with the same one."""
    films = [
        {"title": "Vertigo", "release_year": 1958, "genres": ["thriller"]},
        {"title": "Shadow of a Doubt", "release_year": 1943, "genres": ["thriller"]},
    ]
    assert len({poster(film)._replace(size="") for film in films}) == 2
