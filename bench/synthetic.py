"""Synthetic films in any number, with the distribution of words, years, lengths and ratings of the sample catalogue.

Their descriptions say that they are synthetic, and their `_id`s begin with "synthetic-".
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

from app.db.transfer import Sample

Row = dict[str, Any]

SEED = 1927
SHOWS = 5  # every fifth is a show
LABEL = "Synthetic: made from the sample catalogue for measuring."


def movie_id(number: int) -> str:
    """The `_id` of film `number`."""
    return f"synthetic-{number:08}"


def films(sample: Sample, count: int) -> Iterator[Row]:
    """`count` films in an import's form, the same in every run."""
    real = list(sample.films())
    chance = random.Random(SEED)  # noqa: S311 - not a secret, and the same in every run
    for number in range(count):
        model, other = real[number % len(real)], chance.choice(real)
        yield {
            **{field: value for field, value in model.items() if field != "imdb_id" and value is not None},
            "_id": movie_id(number),
            "title": _title(model["title"], other["title"], chance),
            "type": "SHOW" if number % SHOWS == 0 else "MOVIE",
            "description": LABEL,
            "release_year": _near(model["release_year"], 5, chance),
            "runtime": _near(model["runtime"], 15, chance),
            "critics_reviews": _near(model["critics_reviews"], 10, chance),
        }


def credits(sample: Sample, films: int, count: int) -> Iterator[Row]:
    """`count` credits of the first synthetic films, or all of them if there are fewer; the same in every run.

    A film has the complete cast of its model, because casts tell who works with whom; once `count` is reached, further
    films have none. Each copy of the catalogue has different people, since a larger library has more people, not
    people with more films: real given names with real surnames.
    """
    casts: dict[str, list[Row]] = {film["_id"]: [] for film in sample.films()}
    for credit in sample.credits():
        casts[credit["movie_id"]].append(credit)
    surnames = sorted({credit["name"].split()[-1] for cast in casts.values() for credit in cast})
    return islice(_cast(list(casts.values()), surnames, films), count)


def _cast(casts: list[list[Row]], surnames: list[str], films: int) -> Iterator[Row]:
    for number in range(films):
        copy = number // len(casts)
        for credit in casts[number % len(casts)]:
            name = _namesake(credit["name"], copy, surnames)
            yield {"movie_id": movie_id(number), "name": name, "role": credit["role"]}


def _namesake(name: str, copy: int, surnames: list[str]) -> str:
    """A person's counterpart in a copy of the catalogue; in the first one, the person."""
    if copy == 0:
        return name
    *given, last = name.split()
    other = surnames[random.Random(f"{name}/{copy}").randrange(len(surnames))]  # noqa: S311 - as in `films`
    return " ".join([*given, other] if given else [last, other])


def _title(one: str, other: str, chance: random.Random) -> str:
    """The beginning of one title and the end of another, so that words keep their places."""
    first, last = one.split(), other.split()
    words = first[: chance.randint(1, len(first))] + last[chance.randrange(len(last)) :]
    return " ".join(words)[:200]


def _near(value: Any, distance: int, chance: random.Random) -> int | None:
    """A number at most `distance` from `value`; None if that is unknown."""
    return None if value is None else max(0, int(value) + chance.randint(-distance, distance))
