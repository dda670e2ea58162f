"""Our recommender and its peers, each with the settings to choose from, answering the questions of `bench.newcomers`.

- popularity: the films with the most likes
- cosine: item to item, c_ij / (sqrt(c_i c_j) + s), with tuned shrinkage s
- EASE: Steck, WWW 2019, with tuned lambda; in its dual form, whose matrix is users x users
- iALS: the package implicit, in the peers' environment

Only ours uses genres; some of its settings leave them out, to compare by likes alone.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.recommender import scoring
from app.recommender.neighbours import neighbours
from bench import peer
from bench.newcomers import Questions

TOP = 3
SHRINKAGES = (0, 10, 30, 70, 150)
LAMBDAS = (100, 200, 500, 1000, 2500)
OUR_SHRINKAGES = (5, 10, 20)
OUR_PRIORS = (0.4, 0.6, 0.8, 1.0)
OUR_GENRES = (0.0, 0.1, 0.2, 0.3)

Matrix = NDArray[Any]
Answers = dict[str, NDArray[np.int32]]
"""By setting, the films recommended: questions x 3."""
Recommender = Callable[[Matrix], dict[str, Callable[[Matrix], Matrix]]]
"""Learns from likes (users x films). Returns by setting a function: given likes (questions x films) -> film scores."""


def popularity(likes: Matrix) -> dict[str, Callable[[Matrix], Matrix]]:
    """Has nothing to tune, so one setting."""
    count = likes.sum(axis=0)
    return {"": lambda given: np.tile(count, (len(given), 1))}


def cosine(likes: Matrix) -> dict[str, Callable[[Matrix], Matrix]]:
    """Item-to-item cosine."""
    common = likes.T @ likes
    count = common.diagonal().copy()
    np.fill_diagonal(common, 0)
    norms = np.sqrt(np.outer(count, count))

    def with_shrinkage(shrinkage: float) -> Callable[[Matrix], Matrix]:
        weights = common / np.maximum(norms + shrinkage, 1e-9)
        return lambda given: given @ weights

    return {f"shrinkage {s}": with_shrinkage(s) for s in SHRINKAGES}


def ease(likes: Matrix) -> dict[str, Callable[[Matrix], Matrix]]:
    """Embarrassingly shallow autoencoder: B = I - P / diag(P), where P = (X'X + lambda I)^-1.

    By Woodbury's identity P = (I - X' M X) / lambda with M = (lambda I + X X')^-1.
    """
    gram = likes @ likes.T

    def with_lambda(weight: float) -> Callable[[Matrix], Matrix]:
        inverse = np.linalg.inv(gram + weight * np.eye(len(likes), dtype=np.float32))
        projected = inverse @ likes
        diagonal = (1 - (likes * projected).sum(axis=0)) / weight
        return lambda given: -((given - given @ likes.T @ projected) / weight) / diagonal

    return {f"lambda {weight}": with_lambda(weight) for weight in LAMBDAS}


def ours(genres: Matrix) -> Recommender:
    """`app.recommender`, through the functions that the user app calls, for films of these genres (films x genres)."""
    return lambda likes: _ours(likes, genres)


def _ours(likes: Matrix, genres: Matrix) -> dict[str, Callable[[Matrix], Matrix]]:
    users, films = (numbers.astype(np.int32) for numbers in np.nonzero(likes))

    def learned(shrinkage: float, genre_weight: float) -> Callable[[Matrix, float], Matrix]:
        found = neighbours(users, films, genres=genres, shrinkage=shrinkage, genre_weight=genre_weight)
        rows = {film: scoring.Row(*row) for film, row in zip(found.films.tolist(), found.rows, strict=True)}

        def score(given: Matrix, prior: float) -> Matrix:
            scores = np.full(given.shape, -1.0, np.float32)
            for number, liked in enumerate(given):
                known = [rows[film] for film in np.flatnonzero(liked).tolist() if film in rows]
                scores[number, found.films] = scoring.scores(known, found.priors, prior)
            return scores

        return score

    settings = {}
    for shrinkage, genre_weight in itertools.product(OUR_SHRINKAGES, OUR_GENRES):
        score = learned(shrinkage, genre_weight)
        for prior in OUR_PRIORS:
            settings[our_setting(shrinkage, prior, genre_weight)] = _with_prior(score, prior)
    return settings


def our_setting(shrinkage: float, prior: float, genre_weight: float) -> str:
    """The name of one of our settings."""
    return f"shrinkage {shrinkage:g}, prior {prior:g}, genres {genre_weight:g}"


def our_settings_without_genres() -> list[str]:
    """Our settings that use likes only, like the peers."""
    return [our_setting(shrinkage, prior, 0) for shrinkage, prior in itertools.product(OUR_SHRINKAGES, OUR_PRIORS)]


def _with_prior(score: Callable[[Matrix, float], Matrix], prior: float) -> Callable[[Matrix], Matrix]:
    return lambda given: score(given, prior)


def answers(recommender: Recommender, questions: Questions) -> Answers:
    """For each fold, learn from the other folds' users and answer its questions."""
    found: Answers = {}
    for fold in np.unique(questions.fold):
        asked = np.flatnonzero(questions.question_fold == fold)
        given = questions.given_matrix(asked)
        for setting, score in recommender(questions.likes[questions.fold != fold]).items():
            top = found.setdefault(setting, np.zeros((len(questions.user), TOP), np.int32))
            scores = np.where(given > 0, -np.inf, score(given))
            top[asked] = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    return found


def ials_answers(questions: Questions) -> Answers:
    """Like `answers`, in the peers' environment."""
    with tempfile.TemporaryDirectory() as directory:
        task, result = Path(directory, "task.npz"), Path(directory, "result.npz")
        arrays: dict[str, Any] = {
            "likes": questions.likes,
            "fold": questions.fold,
            "question_fold": questions.question_fold,
            "given": questions.given,
        }
        np.savez(task, **arrays)
        settings = peer.run("ials", str(task), str(result))
        with np.load(result) as loaded:
            return dict(zip(settings, loaded["top"], strict=True))
