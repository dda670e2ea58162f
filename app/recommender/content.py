"""Content similarity of two films: makers, cast, genres, countries and time.

It needs no likes, so it covers films that nobody has liked yet.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

Kind = Literal["director", "cast", "genre", "writer"]

# The weight of each shared trait. A shared director says most, and two shared actors say as much as ten. The
# proportions are a judgement; only their combination is measured (docs/recommendations.md).
DIRECTOR, WRITER, ACTOR, GENRES, COUNTRY, YEARS = 1.0, 0.4, 0.4, 0.8, 0.1, 0.2
MOST_ACTORS = 2
FADING_YEARS = 20  # films this far apart share no time


@dataclass(frozen=True)
class Features:
    """A film's traits: the ids of its people by role, its genres and countries, and the year if it is known."""

    directors: frozenset[str] = frozenset()
    writers: frozenset[str] = frozenset()
    actors: frozenset[str] = frozenset()
    genres: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    year: int | None = None


@dataclass(frozen=True)
class Likeness:
    """The similarity of two films (0 and up), and the traits that contribute most, among those that can be named.

    `kind` is the kind of these traits, `shared` the people or genres; None and empty for films that share at most
    country or time.
    """

    score: float
    kind: Kind | None
    shared: frozenset[str]

    @property
    def people(self) -> frozenset[str]:
        """The ids of the people in `shared`; none if these are genres."""
        return frozenset() if self.kind == "genre" else self.shared


def likeness(one: Features, other: Features) -> Likeness:
    """Compare two films; the order doesn't matter."""
    directors, writers = one.directors & other.directors, one.writers & other.writers
    actors, genres = one.actors & other.actors, one.genres & other.genres
    parts: list[tuple[float, Kind, frozenset[str]]] = [
        (DIRECTOR if directors else 0.0, "director", directors),
        (ACTOR * min(len(actors), MOST_ACTORS), "cast", actors),
        (GENRES * len(genres) / len(one.genres | other.genres) if genres else 0.0, "genre", genres),
        (WRITER if writers else 0.0, "writer", writers),
    ]
    most, kind, shared = max(parts, key=itemgetter(0))
    score = sum(part for part, _, _ in parts) + YEARS * _nearness(one, other)
    if not one.countries.isdisjoint(other.countries):
        score += COUNTRY
    return Likeness(score, kind if most else None, shared)


def _nearness(one: Features, other: Features) -> float:
    """1 for films of the same year, falling to 0 at FADING_YEARS apart."""
    if one.year is None or other.year is None:
        return 0.0
    return max(0.0, 1 - abs(one.year - other.year) / FADING_YEARS)
