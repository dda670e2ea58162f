"""Item-to-item cosine with shrinkage: which films go with each film, and how popular all are.

Computed from likes and the films' genres.

A user u with n_u likes has weight w_u = n_u^-DAMPING (scaled to a mean of 1): the likes of somebody who likes nearly
everything say little. With c_i the sum of w over those who like film i, c_ij over those who like both, N over all:

    cosine(i, j) = c_ij / sqrt((c_i + s) (c_j + s))   shrunk towards 0 by s where likes are few
    prior(j)     = c_j / sqrt((c_j + s) N)            the cosine to a film that everybody likes: popularity
    weight(i, j) = cosine(i, j) + GENRES J(i, j) prior(j)

J is Jaccard's index: shared genres over all genres of the two. So a popular film counts more for people who like films
of its genres. A weight is what liking i says about j; it isn't symmetric.

Cosine with shrinkage: Sarwar et al., WWW 2001; Bell and Koren, ICDM 2007. `make bench-recommend` compares it with
popularity, plain cosine, EASE and iALS; docs/recommendations.md has the results.
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
GENRES = 0.2  # the weight of sharing all genres, in priors
# A pair liked by a single person says something about that person, not about the films, and would disclose it.
LEAST_COMMON = 2  # users who like both
LEAST_LIKES = 3  # of a film that has neighbours or is one
MOST_LIKES = 2_000  # of a user: more are a bot's, and each like is paired with all others
MOST_NEIGHBOURS = 1_000  # of a film
# A film's pairs are sorted if films are so many times more numerous, otherwise counted in an array of all films. At
# about this ratio both take the same time.
SORTED_BELOW = 60
FORMULAS = 2  # of the method; increase it to make earlier results outdated


def method() -> str:
    """Everything that results depend on besides the data; a different text makes them outdated."""
    return f"{FORMULAS} {DAMPING} {SHRINKAGE} {GENRES} {LEAST_COMMON} {LEAST_LIKES} {MOST_LIKES} {MOST_NEIGHBOURS}"


@dataclass(frozen=True)
class Neighbours:
    """The films that have neighbours, most liked first, identified by their place in this order.

    `films` are their input numbers; `priors` has the same length. `rows` yields for each the places of its neighbours
    in ascending order, and their weights; each row is computed when it is consumed.
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
    """Compute neighbours from likes: unique pairs of user and film, numbered from 0 in any order.

    `genres` (films x genres) says which films have which genre, if known.
    Memory is 40 bytes per like, and 3 bytes per film and genre. Time grows with the number of film pairs: the sum of
    the squares of the users' numbers of likes.
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
    """Drop users who like too many films, then films that too few of the others like."""
    if not len(users):
        return users, films
    of_users = np.bincount(users)[users] <= MOST_LIKES
    users, films = users[of_users], films[of_users]
    if not len(users):
        return users, films
    of_films = np.bincount(films)[films] >= LEAST_LIKES
    return users[of_films], films[of_films]


class _Jaccard:
    """The similarity of films by genres."""

    def __init__(self, genres: Flags) -> None:
        self._has = np.ascontiguousarray(genres.T)  # by genre, as a film has few of them
        self._count = genres.sum(axis=1)

    def among(self, film: int, places: NDArray[Any]) -> NDArray[np.float64]:
        """Jaccard's index of the film with each of those at `places`; 0 where neither has a genre."""
        common = self._has[np.ix_(self._has[:, film], places)].sum(axis=0)
        either = self._count[film] + self._count[places] - common
        return np.asarray(common / np.maximum(either, 1), np.float64)


class _Matrix:
    """Likes by user and by film, as two compressed sparse matrices; the hosts have numpy but not SciPy."""

    def __init__(self, users: Numbers, places: Numbers, weights: NDArray[np.float64]) -> None:
        self._weights = weights
        self._films = int(np.max(places)) + 1 if len(places) else 0
        self._of_user = places[np.argsort(users, kind="stable")]
        self._user_starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=len(weights)))])
        self._of_film = users[np.argsort(places, kind="stable")]
        self._film_starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=self._films))])

    def common(self, film: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The places of co-liked films in ascending order, the number of users who like both, and the sum of their
        weights; may include other films.
        """
        users = self._of_film[self._film_starts[film] : self._film_starts[film + 1]]
        starts, lengths = self._user_starts[users], np.diff(self._user_starts)[users]
        # The positions of all these users' likes, without a loop over users.
        ends = np.cumsum(lengths)
        positions = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
        places = self._of_user[positions]
        weights = np.repeat(self._weights[users], lengths)
        if len(places) * SORTED_BELOW < self._films:
            found, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
            return found, counts, np.bincount(inverse, weights)
        counts = np.bincount(places, minlength=self._films)
        return np.arange(self._films), counts, np.bincount(places, weights, minlength=self._films)
