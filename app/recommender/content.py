"""How alike two films are by what they are: who made them, who plays in them, genres, countries and time.

It needs nobody's likes, so it reaches the films that nobody has liked yet.
"""

from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

Kind = Literal["director", "cast", "genre", "writer"]

# What each trait in common is worth. A shared director says most, and of a cast of hundreds two are as good as ten. The
# proportions are a judgement; they are measured as a whole (docs/recommendations.md).
DIRECTOR, WRITER, ACTOR, GENRES, COUNTRY, YEARS = 1.0, 0.4, 0.4, 0.8, 0.1, 0.2
MOST_ACTORS = 2
FADING_YEARS = 20  # films this far apart have no time in common any more


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
    """How alike two films are (0 and up), and the traits that contribute most, of those that can be named.

    `kind` says what these are and `shared` which people or genres; it is None, and nothing shared, for films that have
    at most their country or their time in common.
    """

    score: float
    kind: Kind | None
    shared: frozenset[str]

    @property
    def people(self) -> frozenset[str]:
        """The ids of the people in `shared`: none where these are genres."""
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
    """1 for films of one year, falling to 0 for those FADING_YEARS apart."""
    if one.year is None or other.year is None:
        return 0.0
    return max(0.0, 1 - abs(one.year - other.year) / FADING_YEARS)
