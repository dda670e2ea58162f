"""Item-to-item cosine with shrinkage: which films go with each film, and how popular all are.

From who likes what, and of which genres films are.

A user u with n_u likes counts w_u = n_u^-DAMPING (scaled to a mean of 1): what somebody likes who likes nearly all says
little. With c_i the sum of w over those who like film i, c_ij over those who like both, N over all:

    cosine(i, j) = c_ij / sqrt((c_i + s) (c_j + s))   shrunk towards 0 by s where likes are few
    prior(j)     = c_j / sqrt((c_j + s) N)            the same to a film that everybody likes: popularity
    weight(i, j) = cosine(i, j) + GENRES J(i, j) prior(j)

J is Jaccard's index: the genres that both have, of those that one of them has. So a popular film counts for more to
whoever likes films of its genres. A weight is what liking i says about j, and not the same the other way.

Cosine with shrinkage: Sarwar et al., WWW 2001; Bell and Koren, ICDM 2007. What it is worth beside popularity, plain
cosine, EASE and iALS is measured by `make bench-recommend`; docs/recommendations.md has the results.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int32]
Weights = NDArray[np.float32]
Flags = NDArray[np.bool_]

DAMPING = 0.25
SHRINKAGE = 10.0  # s, in likes
GENRES = 0.2  # what all genres in common are worth, in priors
# Two films that a single person likes tell about that person, not about the films, and nobody else's business.
LEAST_COMMON = 2  # users who like both
LEAST_LIKES = 3  # of a film that is to have neighbours, or be one
MOST_LIKES = 2_000  # of a user: more is no taste but a program, and each like is paired with all the others
MOST_NEIGHBOURS = 1_000  # of a film
# Pairs are sorted where films are so many times more, and else counted in an array of all films, made for each film. At
# about this both take the same time.
SORTED_BELOW = 60
FORMULAS = 2  # a number for how it is calculated; another one makes what was calculated before outdated


def method() -> str:
    """All that results depend on but the likes: they are outdated when it is another text."""
    return f"{FORMULAS} {DAMPING} {SHRINKAGE} {GENRES} {LEAST_COMMON} {LEAST_LIKES} {MOST_LIKES} {MOST_NEIGHBOURS}"


@dataclass(frozen=True)
class Neighbours:
    """All films that have some, the most liked first: their places in this order stand for them here.

    `films` are their numbers as they came in; `priors` is of the same length. `rows` has for each the places of its
    neighbours in ascending order, and their weights; each row is computed when it is its turn.
    """

    films: Numbers
    priors: Weights
    rows: Iterator[tuple[Numbers, Weights]]


def neighbours(
    users: Numbers,
    films: Numbers,
    *,
    genres: Flags | None = None,
    shrinkage: float = SHRINKAGE,
    damping: float = DAMPING,
    genre_weight: float = GENRES,
    most: int = MOST_NEIGHBOURS,
) -> Neighbours:
    """From the pairs of a user and a film that this user likes, each pair once, numbered from 0 in any order.

    `genres` (films x genres) says which film is of which, if known.
    Memory is 40 bytes a like, and for each film three times as many bytes as there are genres. Time grows with the sum
    of the squares of the users' numbers of likes: these are the pairs of films. Those of each film are sorted or,
    where they are many, counted in an array of all films.
    """
    users, films = _kept(users, films)
    likes = np.bincount(users)
    weights = np.divide(1.0, likes**damping, out=np.zeros(len(likes)), where=likes > 0)
    total = float((likes > 0).sum())
    weights *= total / (weights.sum() or 1.0)
    counts = np.bincount(films, weights[users])

    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    place = np.empty(len(counts), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    counts = counts[order]
    norms = np.sqrt(counts + shrinkage)
    priors = counts / norms / np.sqrt(total or 1.0)
    matrix = _Matrix(users, place[films], weights)
    alike = _Jaccard(genres[order] if genres is not None else np.zeros((len(order), 0), np.bool_))

    def row(film: int) -> tuple[Numbers, Weights]:
        places, common, weighted = matrix.common(film)
        kept = (common >= LEAST_COMMON) & (places != film)
        places = places[kept]
        close = weighted[kept] / (norms[places] * norms[film])
        close += genre_weight * alike.among(film, places) * priors[places]
        if len(places) > most:
            strongest = np.sort(np.argpartition(-close, most)[:most])
            places, close = places[strongest], close[strongest]
        return places.astype(np.int32), close.astype(np.float32)

    return Neighbours(order.astype(np.int32), priors.astype(np.float32), map(row, range(len(order))))


def _kept(users: Numbers, films: Numbers) -> tuple[Numbers, Numbers]:
    """Without users who like too many films, then without films that too few of the others like."""
    if not len(users):
        return users, films
    of_users = np.bincount(users)[users] <= MOST_LIKES
    users, films = users[of_users], films[of_users]
    if not len(users):
        return users, films
    of_films = np.bincount(films)[films] >= LEAST_LIKES
    return users[of_films], films[of_films]


class _Jaccard:
    """How alike films are by their genres."""

    def __init__(self, genres: Flags) -> None:
        self._has = np.ascontiguousarray(genres.T)  # by genre: a film has few of them
        self._count = genres.sum(axis=1)

    def among(self, film: int, places: NDArray[Any]) -> NDArray[np.float64]:
        """Jaccard's index of the film with each of those at `places`; 0 where neither has a genre."""
        common = self._has[np.ix_(self._has[:, film], places)].sum(axis=0)
        either = self._count[film] + self._count[places] - common
        return np.asarray(common / np.maximum(either, 1), np.float64)


class _Matrix:
    """Likes by user and by film, as two compressed sparse rows: numpy is all that the hosts have."""

    def __init__(self, users: Numbers, places: Numbers, weights: NDArray[np.float64]) -> None:
        self._weights = weights
        self._films = int(np.max(places)) + 1 if len(places) else 0
        self._of_user = places[np.argsort(users, kind="stable")]
        self._user_starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=len(weights)))])
        self._of_film = users[np.argsort(places, kind="stable")]
        self._film_starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=self._films))])

    def common(self, film: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Places of films in ascending order, how many like each among those who like this one, and the sum of their
        weights: of all that anybody of these likes, and maybe others.
        """
        users = self._of_film[self._film_starts[film] : self._film_starts[film + 1]]
        starts, lengths = self._user_starts[users], np.diff(self._user_starts)[users]
        # The positions of all these users' likes: from each one's start onwards, without a loop over them.
        ends = np.cumsum(lengths)
        positions = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
        places = self._of_user[positions]
        weights = np.repeat(self._weights[users], lengths)
        if len(places) * SORTED_BELOW < self._films:
            found, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
            return found, counts, np.bincount(inverse, weights)
        counts = np.bincount(places, minlength=self._films)
        return np.arange(self._films), counts, np.bincount(places, weights, minlength=self._films)
