"""When neighbours are recomputed."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.likes import learning, likes, neighbour_lists
from app.recommender import neighbours as calculation

Raw = Database[dict[str, Any]]


def learn() -> learning.Learned | None:
    with neighbour_lists.alone() as writer:
        return learning.learn(writer, lambda what, expected: lambda done: None)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("module", "constant", "value"),
    [
        (calculation, "SHRINKAGE", 99.0),
        (calculation, "GENRES", 9.0),
        (calculation, "LEAST_COMMON", 1),
        (calculation, "FORMULAS", 0),
        (learning, "FORMAT", 0),
        (learning, "MOST_GENRES", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_new_method_or_format_recomputes_neighbours(
    monkeypatch: pytest.MonkeyPatch, module: Any, constant: str, value: float
) -> None:
    likes.like("ann", "f001")
    assert learn() is not None
    assert learn() is None
    monkeypatch.setattr(module, constant, value)
    assert learn() is not None
    assert learn() is None


def test_changed_genres_of_a_liked_film_recompute_neighbours(
    monkeypatch: pytest.MonkeyPatch, add_films: Callable[..., None]
) -> None:
    monkeypatch.setattr(learning, "BATCH", 2)  # films are read in several
    add_films(*({"title": f"Film {number}", "genres": ["war", "drama"]} for number in range(1, 7)))
    for film in ("f001", "f002", "f003", "f004", "f005", "gone"):
        likes.like("ann", film)
    assert learn() is not None
    for film, changes, recomputes in (
        ("f005", {"title": "Another", "genres": ["drama", "war"]}, False),
        ("f006", {"genres": ["crime"]}, False),
        ("f005", {"genres": ["drama"]}, True),
        ("f001", {"genres": []}, True),
    ):
        operations.update_document("movies", film, changes)
        assert (learn() is not None) == recomputes, (film, changes)


def test_only_the_most_frequent_genres_take_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MOST_GENRES", 2)
    flags = learning._flags([["war", "made up"], ["war", "drama"], ["drama"], []])
    assert flags.tolist() == [[False, True], [True, True], [True, False], [False, False]]
