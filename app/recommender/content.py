"""How alike two films are by what they are: who made them, who plays in them, genres, countries and time.

It needs nobody's likes, so it reaches the films that nobody has liked yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["director", "cast", "genre"]

# What each trait in common is worth. A shared director says most, and of a cast of hundreds two are as good as ten. The
# proportions are a judgement; they are measured as a whole (docs/recommendations.md).
DIRECTOR, WRITER, ACTOR, GENRES, COUNTRY, YEARS = 1.0, 0.4, 0.4, 0.8, 0.1, 0.2
MOST_ACTORS = 2
FADING_YEARS = 20  # films this far apart have no time in common any more


@dataclass(frozen=True)
class Features:
    """A film's traits: person ids by role, genres, countries, and the year if it is known."""

    people: Mapping[str, frozenset[str]] = field(default_factory=dict)
    genres: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    year: int | None = None

    def in_role(self, role: str) -> frozenset[str]:
        """The ids of those who had this role in the film."""
        return self.people.get(role, frozenset())


@dataclass(frozen=True)
class Likeness:
    """How alike two films are (0 and up), and what contributes most: a kind of trait, and which people or genres."""

    score: float
    kind: Kind
    shared: frozenset[str]


def likeness(one: Features, other: Features) -> Likeness:
    """Compare two films; the order doesn't matter."""
    directors = one.in_role("DIRECTOR") & other.in_role("DIRECTOR")
    actors = one.in_role("ACTOR") & other.in_role("ACTOR")
    writers = one.in_role("WRITER") & other.in_role("WRITER")
    genres = one.genres & other.genres
    parts: dict[Kind, float] = {
        "director": DIRECTOR * bool(directors),
        "cast": ACTOR * min(len(actors), MOST_ACTORS),
        "genre": GENRES * len(genres) / len(one.genres | other.genres) if genres else 0.0,
    }
    kind = max(parts, key=lambda part: parts[part])
    shared = {"director": directors, "cast": actors, "genre": genres}[kind]
    rest = WRITER * bool(writers) + COUNTRY * bool(one.countries & other.countries) + YEARS * _nearness(one, other)
    return Likeness(sum(parts.values()) + rest, kind, shared)


def _nearness(one: Features, other: Features) -> float:
    """1 for films of one year, falling to 0 for those FADING_YEARS apart."""
    if one.year is None or other.year is None:
        return 0.0
    return max(0.0, 1 - abs(one.year - other.year) / FADING_YEARS)
