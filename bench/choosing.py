"""Preference search, beside the original's two regular expressions; the catalogue's queries; likes."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import cycle, product
from typing import Any

from bson import Regex

from app.db.core import get_collection, person_id
from app.db.films import catalogue
from app.db.likes import likes
from app.db.search import preferences
from bench import synthetic
from bench.library import Library
from bench.measure import Figure, milliseconds, percentile, time_calls

SEED = 1939
PAIRS = 40  # of an actor and the director of a film
PEER_PAIRS = 10  # each takes more than a second
TIMES = 5
PAGE = 100  # films, as on the catalogue's page
DEPTH = 20  # pages of MAX_LIMIT films down to the deep one
LIKES = 200
USER = "bench"
BARE = "bare_likes"  # a collection without a validator and without indexes except `_id`

Wanted = dict[str, str]


def measure(library: Library) -> list[Figure]:
    """Times of calls in this process, until the rows are there."""
    return [*_preference_figures(library), *_catalogue_figures(library), *_like_figures(library)]


# -- preference search


def wanted(library: Library) -> list[Wanted]:
    """Typical queries: a film's actor and director, as ids, names or surnames; every second one also with the film's
    genre and type, every fifth without the director.
    """
    films = {film["_id"]: film for film in library.sample.films()}
    people: dict[str, dict[str, list[str]]] = {}
    for credit in library.sample.credits():
        people.setdefault(credit["movie_id"], {}).setdefault(credit["role"], []).append(credit["name"])
    complete = [film for film, roles in people.items() if {"ACTOR", "DIRECTOR"} <= roles.keys() and film in films]
    chance = random.Random(SEED)  # noqa: S311 - not a secret, and the same in every run
    found = []
    for number, (film, typed) in enumerate(zip(chance.sample(complete, PAIRS), cycle(_TYPED))):
        pair = {role.lower(): typed(people[film][role][0]) for role in ("ACTOR", "DIRECTOR")}
        if number % 5 == 0:
            del pair["director"]
        if number % 2 and films[film]["genres"]:
            pair |= {"genre": films[film]["genres"][0], "kind": "MOVIE"}
        found.append(pair)
    return found


def _surname(name: str) -> str:
    return name.rsplit(maxsplit=1)[-1]


_TYPED: list[Callable[[str], str]] = [person_id, str, _surname]


def _preference_figures(library: Library) -> list[Figure]:
    asked = wanted(library)
    # mypy takes a dictionary's values for arguments of one type.
    ours = _times([partial(preferences.find, **one) for one in asked])  # type: ignore[arg-type]
    named = [one for number, one in enumerate(asked) if number % len(_TYPED) and "director" in one]  # without ids
    original = [partial(_by_regex, one) for one in named[:PEER_PAIRS]]
    theirs = [seconds for call in original for seconds in time_calls(call, 1)]
    by_genre = product(_genres(), ("MOVIE", "SHOW"))
    genres = _times([partial(preferences.find, genre=genre, kind=kind) for genre, kind in by_genre])
    p50, p95 = percentile(ours, 0.5), percentile(ours, 0.95)
    return [
        _beside("preference search by people, p50; the original's two regexes", p50, percentile(theirs, 0.5)),
        _beside("preference search by people, p95; the original's two regexes", p95, percentile(theirs, 0.95), 0.025),
        _figure("preference search by genre and type, p95", percentile(genres, 0.95), 0.025),
    ]


def _genres() -> list[str]:
    return [genre for genre, _ in catalogue.genres()]


def _by_regex(one: Wanted) -> list[Any]:
    """As in the original: the best three films of people whose name contains the actor's or director's."""
    ids: set[str] = set()
    for role in ("actor", "director"):
        found = get_collection("credits").find(
            {"name": Regex(one[role], "i"), "role": role.upper()}, {"_id": 0, "movie_id": 1}
        )
        ids |= {credit["movie_id"] for credit in found}
    query: dict[str, Any] = {"_id": {"$in": sorted(ids)}}
    if "genre" in one:
        query |= {"genres": one["genre"], "type": one["kind"]}
    return list(get_collection("movies").find(query).sort("imdb_score", -1).limit(3))


# -- the catalogue's queries


def _catalogue_figures(library: Library) -> list[Figure]:
    decades = [decade for decade, _ in catalogue.decades()]
    narrowed = [{"genre": genre, "decade": decade} for genre in _genres() for decade in decades]
    pages = _times([partial(catalogue.page, limit=PAGE, **narrow) for narrow in narrowed], 2)
    first = percentile(time_calls(partial(catalogue.page, limit=PAGE), LIKES), 0.5)
    after = None
    for _ in range(min(DEPTH, library.films // 500 - 1)):
        after = catalogue.page(limit=500, after=after).next
    deep = percentile(time_calls(partial(catalogue.page, limit=PAGE, after=after), LIKES), 0.5)
    best = frozenset(film["_id"] for film in catalogue.page(limit=200).rows)
    without = percentile(time_calls(partial(catalogue.page, limit=PAGE, exclude=best), LIKES), 0.5)
    return [
        _figure(f"the catalogue's page of {PAGE} films, median", first),
        _figure(f"the same, {DEPTH * 500:,} films further down", deep),
        _figure("the same without the best 200 films, as if liked", without),
        _figure(f"the same for a genre and a decade, p95 of {len(narrowed)}", percentile(pages, 0.95)),
        _figure("the genres and decades to choose from, median", percentile(time_calls(catalogue.choices, LIKES), 0.5)),
    ]


# -- a like


def _like_figures(library: Library) -> list[Figure]:
    films = [synthetic.movie_id(number) for number in range(LIKES)]
    like, unlike = (_each(partial(change, USER), films) for change in (likes.like, likes.unlike))
    bare = _each(lambda film: get_collection(BARE).insert_one({"user_id": USER, "movie_id": film}), films)
    return [
        _beside("a like, median; bare insert_one without an index", percentile(like, 0.5), percentile(bare, 0.5)),
        _figure("removing a like, median", percentile(unlike, 0.5)),
    ]


def _each(call: Callable[[str], object], films: list[str]) -> list[float]:
    """Seconds of the call for each film except the first."""
    calls = iter(films)
    return time_calls(lambda: call(next(calls)), len(films) - 1)


# -- figures


def _times(calls: list[Callable[[], object]], times: int = TIMES) -> list[float]:
    return [seconds for call in calls for seconds in time_calls(call, times)]


def _figure(what: str, seconds: float, most: float | None = None) -> Figure:
    if most is None:
        return Figure(what, milliseconds(seconds))
    return Figure(what, milliseconds(seconds), aim=f"< {most * 1000:.0f} ms", met=seconds < most)


def _beside(what: str, ours: float, theirs: float, most: float | None = None) -> Figure:
    aim = "" if most is None else f"< {most * 1000:.0f} ms"
    return Figure(
        what, milliseconds(ours), milliseconds(theirs), theirs / ours, aim, None if most is None else ours < most
    )
