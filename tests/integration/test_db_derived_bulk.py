"""Words, people and values to choose from follow bulk edits, deletions and undo, and large casts."""

from __future__ import annotations

import pytest
from bulk_jobs import ALL, Films, run, undone

from app.db import operations
from app.db.core import Actor, audit
from app.db.films import catalogue, person_directory
from app.db.jobs import Change, Selection
from app.db.search import film_search, word_counts

pytestmark = pytest.mark.usefixtures("database")

CREDIT = {"movie_id": "f001", "person_id": "p1", "name": "Ada Zimmer", "role": "ACTOR"}


def films(text: str) -> list[str]:
    return [row["_id"] for row in film_search.search_movies(text).rows]


def people(text: str) -> list[tuple[str, int]]:
    return [(person["name"], person["films"]) for person in person_directory.find(text)]


@pytest.fixture
def lovely(add_films: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that begin alike are looked up one by one, as where they are those of many films."""
    monkeypatch.setattr("app.db.search.planning.MAX_SORTED", 0)
    add_films("Love", "Hate", "Lovely")


@pytest.mark.usefixtures("lovely")
def test_films_with_new_titles_are_found_by_the_beginning_of_a_word() -> None:
    job = run("edit", Selection(ids=("f002",)), Change("title", "set", "Loveless"), Change("genres", "set", "farce"))
    assert (films("lov"), dict(catalogue.genres())) == (["f003", "f002", "f001"], {"farce": 1})
    operations.update_document("movies", "f001", {"title": "Hatred"})
    word_counts.refresh()
    undone(job)
    assert films("hat") == ["f002", "f001"]


def test_people_follow_bulk_edits_and_deletions(add_films: Films) -> None:
    add_films("One", "Two")
    for credit in (CREDIT, {**CREDIT, "movie_id": "f002"}, {**CREDIT, "person_id": "p2", "name": "Bea Young"}):
        operations.insert_credit(credit)
    renamed = run("edit", ALL, Change("name", "set", "Cleo Xu"), collection="credits")
    assert (people("zimmer"), people("xu")) == ([], [("Cleo Xu", 2), ("Cleo Xu", 1)])
    undone(renamed)
    assert (people("zimmer"), people("xu")) == ([("Ada Zimmer", 2)], [])
    deleted = run("delete", Selection(ids=("f001",)))
    assert (people("zimmer"), people("young")) == ([("Ada Zimmer", 1)], [])
    undone(deleted)
    assert (people("zimmer"), people("young")) == ([("Ada Zimmer", 2)], [("Bea Young", 1)])
    run("delete", ALL, collection="credits")
    assert (people("zimmer"), people("young")) == ([], [])


@pytest.mark.parametrize("actor", [None, Actor("u1", "editor")])
def test_a_large_casts_people_are_removed_with_their_film(
    add_films: Films, monkeypatch: pytest.MonkeyPatch, actor: Actor | None
) -> None:
    monkeypatch.setattr(audit, "MAX_DEPENDENTS", 2)
    add_films("One")
    for number in range(4):
        operations.insert_credit({**CREDIT, "person_id": f"p{number}"})
    assert len(people("zimmer")) == 4
    operations.delete_document("movies", "f001", cascade=True, actor=actor)
    assert people("zimmer") == []
