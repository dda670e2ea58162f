"""The ranking score, compared with the formula worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations, ranking

Raw = Database[dict[str, Any]]


def test_scores_follow_the_formula(add_films: Callable[..., None], database: Raw) -> None:
    add_films(
        {"title": "a", "imdb_score": 9.0, "imdb_votes": 100},
        {"title": "b", "imdb_score": 5.0, "imdb_votes": 300},
        {"title": "c", "imdb_score": 7.0, "imdb_votes": 200},
        {"title": "d", "imdb_score": 3.0, "imdb_votes": 1000},
        # IMDb comes first where a film has both, so the critics' figures of this one are nobody's.
        {"title": "e", "critics_score": 8.0, "critics_reviews": 10},
        {"title": "f", "critics_score": 4.0, "critics_reviews": 30},
        {"title": "g", "imdb_score": 10.0, "critics_score": 6.0, "critics_reviews": 20},  # a score without votes
        {"title": "h", "tmdb_score": 9.9, "tmdb_popularity": 5.0},  # TMDB counts no votes
    )
    # IMDb: C = (9+5+7+3)/4 = 6, m = 300 (three of four have at most 300). Critics: C = (8+4+6)/3 = 6, m = 30.
    expected = {
        "a": (100 * 9 + 300 * 6) / 400,
        "b": (300 * 5 + 300 * 6) / 600,
        "c": (200 * 7 + 300 * 6) / 500,
        "d": (1000 * 3 + 300 * 6) / 1300,
        "e": (10 * 8 + 30 * 6) / 40,
        "f": (30 * 4 + 30 * 6) / 60,
        "g": (20 * 6 + 30 * 6) / 50,
        "h": 6.0,
    }
    scores = {film["title"]: film["ranking_score"] for film in database.movies.find()}
    assert scores == pytest.approx(expected, abs=1e-6)
    assert ranking.recompute() == 0


def test_without_any_rating_every_film_is_in_the_middle(add_films: Callable[..., None], database: Raw) -> None:
    add_films("a", "b")
    assert [film["ranking_score"] for film in database.movies.find()] == [5.0, 5.0]


def test_a_count_of_zero_everywhere_divides_by_nothing(add_films: Callable[..., None], database: Raw) -> None:
    add_films({"title": "a", "imdb_score": 9.0, "imdb_votes": 0}, {"title": "b", "imdb_score": 5.0, "imdb_votes": 0})
    assert [film["ranking_score"] for film in database.movies.find()] == [7.0, 7.0]


def test_a_film_added_or_changed_by_itself_is_ranked_at_once(add_films: Callable[..., None], database: Raw) -> None:
    add_films(
        {"title": "a", "imdb_score": 8.0, "imdb_votes": 100}, {"title": "b", "imdb_score": 4.0, "imdb_votes": 100}
    )
    new = {"_id": "n", "title": "n", "type": "MOVIE", "imdb_score": 10, "imdb_votes": 300}
    operations.insert_one("movies", new)
    assert operations.find_document("movies", "n")["ranking_score"] == pytest.approx((300 * 10 + 100 * 6) / 400)
    changed = operations.update_document("movies", "n", {"imdb_votes": 100})
    assert changed["ranking_score"] == pytest.approx((100 * 10 + 100 * 6) / 200)
