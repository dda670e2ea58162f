"""The ranking score, compared with the formula worked out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database

from app.db import operations
from app.db.films import ranking
from app.db.records import bulk

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


def rated(*scores: float) -> list[dict[str, Any]]:
    return [{"title": f"Film {n}", "imdb_score": score, "imdb_votes": 100} for n, score in enumerate(scores)]


def load_one(movie_id: str, score: float) -> None:
    film = {"_id": movie_id, "title": movie_id, "type": "MOVIE", "imdb_score": score, "imdb_votes": 100}
    assert bulk.load("movies", [(1, film)]).inserted == 1


def scores(database: Raw) -> dict[str, float]:
    return {film["_id"]: film["ranking_score"] for film in database.movies.find()}


def test_a_negligible_shift_of_the_mean_leaves_all_other_scores(add_films: Callable[..., None], database: Raw) -> None:
    add_films(*rated(*[6.0] * 200))
    before = scores(database)
    for count in (1, 2):  # each shifts the mean by some 0.005
        load_one(f"new{count}", 7.0)
        assert ranking.recompute() == 1
    assert scores(database) == before | {"new1": 6.5, "new2": 6.5}  # by the parameters that the others are ranked by
    load_one("new3", 7.0)  # many small shifts are a large one
    assert ranking.recompute() == 203
    mean = (200 * 6 + 3 * 7) / 203
    assert scores(database)["new1"] == pytest.approx((7 + mean) / 2, abs=1e-6)


def test_more_votes_of_the_better_known_are_no_negligible_shift(add_films: Callable[..., None], database: Raw) -> None:
    add_films(*rated(4.0, 8.0))
    database.movies.update_one({"_id": "f002"}, {"$set": {"imdb_votes": 200}})
    assert ranking.recompute() == 1
    assert scores(database) == pytest.approx({"f001": (100 * 4 + 200 * 6) / 300, "f002": 7.0}, abs=1e-6)


def test_an_interrupted_ranking_is_done_again(
    add_films: Callable[..., None], database: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_films(*rated(4.0, 8.0))
    load_one("f003", 9.0)
    with monkeypatch.context() as patched:
        patched.setattr(ranking, "_apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ranking.recompute()
    assert ranking.recompute() == 3
    assert scores(database)["f001"] == (4 + 7) / 2


def interrupted(*_: Any) -> int:
    raise KeyboardInterrupt
