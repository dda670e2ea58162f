"""From the films that somebody likes to those that they may like: sums of weights between films, and a prior."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Near = Iterable[tuple[str, float]]


@dataclass
class Score:
    """What a film is worth to somebody: the prior that all start from, and what each film that they like adds."""

    prior: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return self.prior + sum(self.parts.values())

    def carriers(self) -> list[str]:
        """The liked films that add more than nothing, and together more than the prior; those that add most first.

        Empty when the prior alone says more than they do: then they are no reason.
        """
        adding = sorted((film for film, part in self.parts.items() if part > 0), key=lambda film: -self.parts[film])
        return adding if sum(self.parts[film] for film in adding) > self.prior else []


def score(near: Mapping[str, Near], popular: Near) -> dict[str, Score]:
    """Film -> its score, for whoever likes the films that are the keys of `near`; those themselves are left out.

    `near` has each liked film's neighbours with their weights, `popular` the films that most people like with what
    that alone makes them worth.
    """
    scores = {film: Score(prior) for film, prior in popular if film not in near}
    for liked, neighbours in near.items():
        for film, weight in neighbours:
            if film not in near:
                scores.setdefault(film, Score()).parts[liked] = weight
    return scores
