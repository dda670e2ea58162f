"""From the films that somebody likes to those that they may like."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from app.recommender.neighbours import Numbers, Weights

# As if everybody had begun by liking, so many times, a film that everybody likes. With few likes of their own the
# popular films win, and give way to their neighbours as likes are added.
PRIOR = 0.6


@dataclass(frozen=True)
class Row:
    """A film's neighbours: their places in ascending order, and their weights (see `app.recommender.neighbours`)."""

    places: Numbers
    weights: Weights


@dataclass(frozen=True)
class Scored:
    """A film by its place, and what its score is made of: what its being popular adds, and what liked films do."""

    place: int
    popularity: float
    parts: dict[str, float]

    def carriers(self) -> list[str]:
        """The liked films that add anything, most first; none where popularity says more than they do."""
        adding = sorted(self.parts, key=lambda film: -self.parts[film])
        return adding if sum(self.parts.values()) > self.popularity else []


def scores(liked: Iterable[Row], priors: Weights, prior: float = PRIOR) -> Weights:
    """The score of every film, by place: `prior` times its own prior, and the weights that liked films have to it."""
    found: Weights = priors * np.float32(prior)
    for row in liked:
        found[row.places] += row.weights
    return found


def best(liked: Mapping[str, Row], priors: Weights, excluded: Iterable[int], limit: int) -> list[Scored]:
    """The `limit` films that score highest, without those at the places `excluded`, best first."""
    found = scores(liked.values(), priors)
    found[list(excluded)] = -np.inf
    top = np.argsort(-found, kind="stable")[:limit]
    top = top[found[top] > 0]
    parts: list[dict[str, float]] = [{} for _ in top]
    for film, row in liked.items():
        _, ours, theirs = np.intersect1d(top, row.places, assume_unique=True, return_indices=True)
        for number, weight in zip(ours.tolist(), row.weights[theirs].tolist(), strict=True):
            parts[number][film] = weight
    return [Scored(place, PRIOR * float(priors[place]), own) for place, own in zip(top.tolist(), parts, strict=True)]
