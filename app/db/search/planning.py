"""Finding films that meet several conditions in rank order, without reading many that don't.

Indexes list the films of each word, genre, country, year and type in rank order. A plan follows the shortest of these
lists and checks the other conditions on each film there until a page is full: frequent words fill a page quickly, and
a rare word has a short list. A hint names the index, and the checks are written so that MongoDB can't use it for them:
its own planner decides by a few trial documents and sometimes picks a list of 300,000.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bson import Regex

from app.db.core import MAX_NAME, BadQuery, Cursor, Row, get_collection, within_limit
from app.db.films import catalogue
from app.db.search import word_counts
from app.db.search.query_text import AND, Words
from app.db.search.word_counts import Count

Keys = list[tuple[str, int]]

_BY_RANK: Keys = [("ranking_score", -1), ("_id", -1)]
WORDS: Keys = [("search_tokens", 1), *_BY_RANK]
TITLES: Keys = [("title_norm", 1), *_BY_RANK]
IDS: Keys = [("_id", 1)]
ALL: Keys = [("ranking_score", 1), ("_id", 1)]
FACETS: dict[str, Keys] = {
    "type": [("type", 1), ("ranking_score", 1), ("_id", 1)],
    "genres": [("genres", 1), *_BY_RANK],
    "release_year": [("release_year", 1), *_BY_RANK],
    "production_countries": [("production_countries", 1), *_BY_RANK],
}

# Up to so many films, reading and sorting them is faster than merging the lists of all words with a prefix.
MAX_SORTED = 500
SHORT = 100  # films: a list this short is read before a shorter one could be found
EVERYTHING = 2**62  # films: longer than any list
FEW = 100_000  # films: scanning them takes 0.2 s, so a much slower search is waiting for something else


@dataclass(frozen=True)
class Narrow:
    """Further conditions besides the words: type, genre, first year of a decade, country of production."""

    kind: str | None = None
    genre: str | None = None
    decade: int | None = None
    country: str | None = None


@dataclass(frozen=True)
class Condition:
    """A condition on films: `look_up` for the index, or `check` where another condition's index is followed.

    `films` is roughly how many meet it; it decides which list is followed, and whether its time is limited.
    """

    films: int
    index: Keys
    look_up: Row
    check: Row


@dataclass(frozen=True)
class Plan:
    """A query for films in rank order: the index to follow, and roughly how many films it scans at most."""

    query: Row
    index: Keys
    films: int

    def but(self, check: Row) -> "Plan":
        """The plan for the films that also pass another check."""
        return Plan({"$and": [self.query, check]}, self.index, self.films)

    def rows(self, start: Cursor | None, limit: int, projection: Mapping[str, int]) -> list[Row]:
        """Up to `limit` films beyond `start`, best ranked first.

        Raises TooSlow when it scans more than FEW and takes longer than `listing.within_limit` allows.
        """
        read = partial(self._rows, start, limit, projection)
        return read() if self.films <= FEW else within_limit(read, "movies")

    def _rows(self, start: Cursor | None, limit: int, projection: Mapping[str, int]) -> list[Row]:
        found: list[Row] = []
        for beyond, sort in _beyond(start):
            query = {"$and": [self.query, beyond]} if beyond else self.query
            rows = get_collection("movies").find(query, projection).hint(self.index).sort(sort)
            found += rows.limit(limit - len(found))
            if len(found) == limit:
                break
        return found

    def count(self, most: int) -> int:
        """The number of films; counting stops at `most`."""
        return get_collection("movies").count_documents(self.query, hint=self.index, limit=most)


def follow(conditions: Sequence[Condition], checks: Sequence[Row] = ()) -> Plan:
    """The plan for films that meet all conditions (at least one) and checks, following the shortest list."""
    shortest = min(conditions, key=lambda condition: condition.films)
    others = [condition.check for condition in conditions if condition is not shortest]
    parts = [part for part in (shortest.look_up, *others, *checks) if part]
    return Plan({"$and": parts}, shortest.index, shortest.films)


def _beyond(start: Cursor | None) -> Iterator[tuple[Row, Keys]]:
    """The films after a position, as consecutive conditions that each bound the index scan.

    With a single $or, MongoDB would read everything from the start. Films without a score, which are just being loaded,
    come last: "not at least" includes them, "less than" doesn't.
    """
    if start is None:
        yield {}, _BY_RANK
        return
    yield {"ranking_score": start.value, "_id": {"$lt": start.identifier}}, [("_id", -1)]
    if start.value is not None:
        yield {"ranking_score": {"$not": {"$gte": start.value}}}, _BY_RANK


# -- conditions


def has_word(word: str) -> Row:
    """The check that a title has this word."""
    return has_phrase([word])


def has_phrase(words: Sequence[str]) -> Row:
    """The check that a title has these words in sequence."""
    return {"title_norm": Regex(f"(^| ){re.escape(' '.join(words))}( |$)")}


def has_beginning(prefix: str) -> Row:
    """The check that a word of the title has this prefix."""
    return {"title_norm": Regex(f"(^| ){re.escape(prefix)}")}


def has_and(first: str, second: str) -> Row:
    """The check that a title has an "and", or a sign for it, so that nothing is between the words around it."""
    return {"title_norm": Regex(f"(^| )({AND}( |$)|{re.escape(f'{first} {second}')})")}


def checks(words: Words) -> list[Row]:
    """A condition for titles with these words that uses no index."""
    found = [has_word(word) for word in words.exact] + [has_phrase(phrase) for phrase in words.phrases]
    found += [has_and(*pair) for pair in words.joined]
    return [*found, has_beginning(words.prefix)] if words.prefix else found


def of_words(words: Words, counts: Mapping[str, Count]) -> list[Condition]:
    """The conditions that titles have these words (at least one)."""
    films = {word: counts[word].films if word in counts else 0 for word in words.whole}
    conditions = [Condition(films[word], WORDS, {"search_tokens": word}, has_word(word)) for word in films]
    if not words.prefix:
        return conditions
    short = bool(films) and min(films.values()) <= SHORT
    return [*conditions, _of_prefix(words.prefix, None if short else word_counts.endings(words.prefix))]


def _of_prefix(prefix: str, endings: dict[str, int] | None) -> Condition:
    """The merged lists of all words with this prefix; a few films are sorted instead, and with very many words all
    films are scanned, as many of them match.
    """
    check = has_beginning(prefix)
    if endings is None:
        return Condition(EVERYTHING, ALL, check, check)
    films = sum(endings.values())
    if films <= MAX_SORTED:
        return Condition(films, WORDS, {"search_tokens": Regex(f"^{re.escape(prefix)}")}, check)
    return Condition(films, WORDS, {"search_tokens": {"$in": sorted(endings)}}, check)


def of_narrow(narrow: Narrow) -> list[Condition]:
    """The conditions for `narrow`. Raises BadQuery for an invalid type, genre, decade or country."""
    query = catalogue.film_query(kind=narrow.kind, genre=narrow.genre, decade=narrow.decade)
    if narrow.country is not None:
        if not isinstance(narrow.country, str) or not 1 <= len(narrow.country) <= MAX_NAME:
            raise BadQuery(f"a country is a name of at most {MAX_NAME} characters")
        query["production_countries"] = narrow.country
    if not query:
        return []
    films = _films_of(narrow)
    return [Condition(films[field], FACETS[field], {field: value}, {field: value}) for field, value in query.items()]


def _films_of(narrow: Narrow) -> dict[str, int]:
    choices = catalogue.choices()
    wanted: dict[str, tuple[Any, catalogue.Counts]] = {
        "type": (narrow.kind, choices.kinds),
        "genres": (narrow.genre, choices.genres),
        "release_year": (narrow.decade, choices.decades),
        "production_countries": (narrow.country, choices.countries),
    }
    return {field: dict(counts).get(value, 0) for field, (value, counts) in wanted.items()}
