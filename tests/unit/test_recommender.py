"""The calculations of recommendations, compared with independent implementations of their formulas."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recommender import neighbours as module
from app.recommender import scoring
from app.recommender.content import Features, likeness
from app.recommender.diversity import diverse, in_turns
from app.recommender.neighbours import Neighbours, neighbours

LIKES = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 6)), max_size=50)
GENRES = st.lists(st.frozensets(st.integers(0, 3)), min_size=7, max_size=7)  # of the films 0 to 6


def found_by(likes: set[tuple[int, int]], genres: list[frozenset[int]] | None = None, **options: Any) -> Neighbours:
    pairs = np.array(sorted(likes), np.int32).reshape(-1, 2)
    flags = None if genres is None else np.array([[genre in own for genre in range(4)] for own in genres])
    return neighbours(pairs[:, 0], pairs[:, 1], genres=flags, **options)


def by_definition(
    likes: set[tuple[int, int]], genres: list[frozenset[int]], shrinkage: float
) -> tuple[dict[int, float], dict[int, dict[int, float]]]:
    """Priors, and weights film by film, from the formulas of the module's docstring, one sum after the other."""
    counts = {film: sum(1 for _, other in likes if other == film) for _, film in likes}
    likes = {(user, film) for user, film in likes if counts[film] >= module.LEAST_LIKES}
    users, films = {user for user, _ in likes}, {film for _, film in likes}
    weight = {user: sum(1 for other, _ in likes if other == user) ** -module.DAMPING for user in users}
    scale = len(users) / sum(weight.values()) if users else 0.0
    fans = {film: {user for user, other in likes if other == film} for film in films}
    c = {film: sum(weight[user] * scale for user in fans[film]) for film in films}
    priors = {i: c[i] / np.sqrt((c[i] + shrinkage) * len(users)) for i in films}
    weights = {
        i: {
            j: sum(weight[u] * scale for u in fans[i] & fans[j]) / np.sqrt((c[i] + shrinkage) * (c[j] + shrinkage))
            + module.GENRES * len(genres[i] & genres[j]) / max(len(genres[i] | genres[j]), 1) * priors[j]
            for j in films - {i}
            if len(fans[i] & fans[j]) >= module.LEAST_COMMON
        }
        for i in films
    }
    return priors, weights


@pytest.mark.parametrize("sorted_below", [1_000, 0], ids=["counted", "sorted"])
@given(likes=LIKES, genres=GENRES)
def test_priors_and_weights_follow_the_formulas(
    likes: set[tuple[int, int]], genres: list[frozenset[int]], sorted_below: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SORTED_BELOW", sorted_below)
        found = found_by(likes, genres, shrinkage=2.0)
        rows = list(found.rows)
    priors, weights = by_definition(likes, genres, 2.0)
    films = found.films.tolist()
    assert dict(zip(films, found.priors.tolist(), strict=True)) == pytest.approx(priors, rel=1e-5)
    assert sorted(found.priors.tolist(), reverse=True) == found.priors.tolist(), "the most liked first"
    for film, (places, values) in zip(films, rows, strict=True):
        assert (np.diff(places) > 0).all()
        neighbours_of = {films[place]: value for place, value in zip(places.tolist(), values.tolist(), strict=True)}
        assert neighbours_of == pytest.approx(weights[film], rel=1e-5)


@given(likes=LIKES)
def test_films_whose_genres_are_unknown_go_by_likes_alone(likes: set[tuple[int, int]]) -> None:
    unknown, none = found_by(likes), found_by(likes, [frozenset()] * 7)
    for one, other in zip(unknown.rows, none.rows, strict=True):
        assert [values.tolist() for values in one] == [values.tolist() for values in other]


def test_only_the_strongest_neighbours_are_kept() -> None:
    likes = {(user, film) for user in range(6) for film in range(5) if user >= film // 2}
    everything, some = found_by(likes), found_by(likes, most=2)
    for (_, all_values), (places, values) in zip(everything.rows, some.rows, strict=True):
        assert len(places) == 2
        assert sorted(values) == sorted(all_values)[-2:]


def test_users_who_like_everything_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    likes = {(user, film) for user in range(4) for film in range(3)}
    expected = found_by(likes).priors.tolist()
    monkeypatch.setattr(module, "MOST_LIKES", 5)
    assert found_by(likes | {(9, film) for film in range(20)}).priors.tolist() == expected
    assert not len(found_by({(9, film) for film in range(20)}).films)


PRIORS = np.array([0.9, 0.5, 0.4, 0.1], np.float32)


def row(weights: dict[int, float]) -> scoring.Row:
    return scoring.Row(np.array(list(weights), np.int32), np.array(list(weights.values()), np.float32))


def test_without_likes_the_popular_films_come_first() -> None:
    best = scoring.best({}, PRIORS, excluded=[0], limit=2)
    assert [score.place for score in best] == [1, 2]
    assert best[0].carriers() == []


def test_neighbours_outweigh_popularity_and_the_heaviest_is_named_first() -> None:
    liked = {"a": row({2: 0.2, 3: 0.4}), "b": row({1: 0.1, 3: 0.9})}
    first, second = scoring.best(liked, PRIORS, excluded=[0], limit=2)
    assert (first.place, first.carriers()) == (3, ["b", "a"])
    assert first.parts == pytest.approx({"a": 0.4, "b": 0.9})
    assert (second.place, second.carriers()) == (2, []), "its popularity (0.24) says more than a does"


def test_what_is_excluded_never_comes_back_even_when_nothing_else_is_left() -> None:
    assert scoring.best({"a": row({0: 5.0})}, PRIORS, excluded=range(4), limit=10) == []


@given(
    st.lists(
        st.dictionaries(st.integers(0, 9), st.sampled_from([0.01, 0.1, 0.5, 0.9]), max_size=9), min_size=1, max_size=6
    )
)
def test_a_score_is_the_sum_of_the_parts_that_reasons_are_given_by(weights: list[dict[int, float]]) -> None:
    """So the named film is the one without which the score would fall most."""
    priors = np.linspace(1, 0.1, 10, dtype=np.float32)
    liked = {str(number): row(dict(sorted(own.items()))) for number, own in enumerate(weights)}
    for score in scoring.best(liked, priors, excluded=[], limit=10):
        whole = scoring.scores(liked.values(), priors)[score.place]
        assert whole == pytest.approx(score.popularity + sum(score.parts.values()), rel=1e-5)
        fall = {
            name: whole - scoring.scores((other for key, other in liked.items() if key != name), priors)[score.place]
            for name in liked
        }
        if carriers := score.carriers():
            assert fall[carriers[0]] == pytest.approx(max(fall.values()), rel=1e-3, abs=1e-5)


def test_a_shared_director_says_more_than_a_shared_genre() -> None:
    alien = Features(directors=frozenset({"scott"}), genres=frozenset({"horror", "sci-fi"}), year=1979)
    runner = Features(directors=frozenset({"scott"}), genres=frozenset({"sci-fi"}), year=1982)
    thing = Features(directors=frozenset({"carpenter"}), genres=frozenset({"horror", "sci-fi"}), year=1982)
    same_director, same_genres = likeness(alien, runner), likeness(alien, thing)
    assert same_director.score > same_genres.score
    assert (same_director.kind, same_director.shared) == ("director", frozenset({"scott"}))
    assert (same_genres.kind, same_genres.shared) == ("genre", frozenset({"horror", "sci-fi"}))
    assert likeness(runner, alien) == same_director


def test_films_with_nothing_in_common_are_not_similar() -> None:
    assert likeness(Features(), Features()).score == 0
    assert likeness(Features(year=1950), Features(year=2000)).score == 0
    near = likeness(Features(year=1950, countries=frozenset({"Italy"})), Features(countries=frozenset({"Italy"})))
    assert near.score > 0
    assert (near.kind, near.shared) == (None, frozenset()), "there is nothing to name"


IDS = st.frozensets(st.sampled_from("ABC"), max_size=2)
FILMS = st.builds(Features, IDS, IDS, IDS, IDS, IDS, st.none() | st.integers(1900, 2000))


@given(FILMS, FILMS)
def test_what_films_are_said_to_share_both_have(one: Features, other: Features) -> None:
    alike = likeness(one, other)
    of = {"director": "directors", "cast": "actors", "genre": "genres", "writer": "writers"}
    common = {kind: getattr(one, field) & getattr(other, field) for kind, field in of.items()}
    assert (alike.kind is None) == (not any(common.values()))
    assert alike.shared == (common[alike.kind] if alike.kind else frozenset())
    assert alike.kind is None or alike.shared
    assert likeness(other, one) == alike


def test_a_diverse_list_brings_in_other_genres_before_the_next_best_of_the_same() -> None:
    items = [(8.0, ["drama"]), (7.9, ["drama"]), (7.8, ["drama"]), (7.0, ["comedy"]), (2.0, ["war"])]
    assert diverse(items, 3) == [0, 3, 1]
    assert sorted(diverse(items, 99)) == [0, 1, 2, 3, 4]
    assert diverse([], 5) == []


def test_groups_take_turns_and_a_label_comes_no_more_often_than_it_may() -> None:
    items = [("a", {"x": 2}), ("a", {"x": 2}), ("b", {"x": 2}), ("b", {"y": 1}), ("b", {"y": 1}), ("a", {"z": 1})]
    assert in_turns(items, 9) == [0, 2, 5, 3]
    assert in_turns(items, 3) == [0, 2, 5]
    assert in_turns([], 3) == []
