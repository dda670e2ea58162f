"""Questions to recommenders: a new user likes these few films; what else does the user like?

Users are split into folds. A recommender learns from the other folds' users. Of each user, k likes are given, random
ones or the first by time; the others are to be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import peer

FOLDS = 5
GIVEN = (1, 3, 5, 10)
ORDERS = ("random", "by time")
DRAWS = 3  # of each user's likes in each order, averaged; by time they differ where likes have the same time
LEAST_LIKES = 3  # films with fewer are left out
LEAST_OF_USER = max(GIVEN) + 3  # so that three are left to be found
SEED = 1927


@dataclass(frozen=True)
class Questions:
    """`likes` (users x films, 0 or 1), `genres` (films x genres), each user's `fold`; and for each question its user,
    k, index in ORDERS, and the films given (padded with -1)."""

    likes: NDArray[np.float32]
    genres: NDArray[np.bool_]
    fold: NDArray[np.int32]
    user: NDArray[np.int32]
    k: NDArray[np.int32]
    order: NDArray[np.int32]
    given: NDArray[np.int32]

    @property
    def question_fold(self) -> NDArray[np.int32]:
        return self.fold[self.user]

    def given_matrix(self, asked: NDArray[Any]) -> NDArray[np.float32]:
        """The likes given in these questions: questions x films, 0 or 1."""
        matrix = np.zeros((len(asked), self.likes.shape[1] + 1), np.float32)
        np.put_along_axis(matrix, self.given[asked], 1, axis=1)
        return matrix[:, :-1]  # without the last column, where -1 goes

    def found(self, top: NDArray[np.int32]) -> NDArray[Any]:
        """How many of the films recommended (questions x 3) each question's user likes."""
        liked: NDArray[Any] = self.likes[self.user[:, None], top]
        return np.asarray(liked.sum(axis=1), float)


def questions() -> Questions:
    """All questions on MovieLens."""
    data = peer.run("movielens")
    users, films, times = (np.array(data[name]) for name in ("users", "films", "times"))
    known, count = np.unique(films, return_counts=True)
    kept = np.isin(films, known[count >= LEAST_LIKES])
    users, films, times = users[kept], films[kept], times[kept]
    user_number = np.unique(users, return_inverse=True)[1]
    film_ids, film_number = np.unique(films, return_inverse=True)
    likes = np.zeros((int(np.max(user_number)) + 1, int(np.max(film_number)) + 1), np.float32)
    likes[user_number, film_number] = 1
    when = np.zeros(likes.shape)
    when[user_number, film_number] = times

    chance = np.random.default_rng(SEED)
    fold = chance.permutation(np.arange(len(likes)) % FOLDS).astype(np.int32)
    rows = []
    for user in np.flatnonzero(likes.sum(axis=1) >= LEAST_OF_USER):
        own = np.flatnonzero(likes[user])
        for number, order in enumerate(ORDERS):
            for _ in range(DRAWS):
                drawn = chance.permutation(own)
                if order == "by time":  # ties stay in random order
                    drawn = drawn[np.argsort(when[user, drawn], kind="stable")]
                rows += [(user, k, number, *drawn[:k], *[-1] * (max(GIVEN) - k)) for k in GIVEN]
    table = np.array(rows, np.int32)
    genres = _genres([data["genres"][str(film)] for film in film_ids])
    return Questions(likes, genres, fold, table[:, 0], table[:, 1], table[:, 2], table[:, 3:])


def _genres(by_film: list[list[str]]) -> NDArray[np.bool_]:
    names = sorted({name for own in by_film for name in own})
    return np.array([[name in own for name in names] for own in by_film])
