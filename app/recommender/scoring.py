"""Scores films for a user from the films that they like."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from app.recommender.neighbours import Numbers, Weights

# As if everybody had liked, so many times, a film that everybody likes. With few likes popular films win; more likes
# give their neighbours more weight.
PRIOR = 0.6


@dataclass(frozen=True)
class Row:
    """A film's neighbours: their places in ascending order, and their weights (see `app.recommender.neighbours`)."""

    places: Numbers
    weights: Weights


@dataclass(frozen=True)
class Scored:
    """A film by place, and its score's parts: from popularity, and from liked films."""

    place: int
    popularity: float
    parts: dict[str, float]

    def carriers(self) -> list[str]:
        """The liked films that contribute, most first; none if popularity contributes more."""
        adding = sorted(self.parts, key=lambda film: -self.parts[film])
        return adding if sum(self.parts.values()) > self.popularity else []


def scores(liked: Iterable[Row], priors: Weights, prior: float = PRIOR) -> Weights:
    """The score of every film, by place: a multiple of its prior, plus the weights of liked films to it."""
    found: Weights = priors * np.float32(prior)
    for row in liked:
        found[row.places] += row.weights
    return found


def best(liked: Mapping[str, Row], priors: Weights, excluded: Iterable[int], limit: int) -> list[Scored]:
    """The `limit` films with the highest scores, best first, without the places in `excluded`."""
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
