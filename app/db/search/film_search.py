"""Finding films by words of the title and people's names, and reading one film with all its credits."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from app.db.core import (
    CREDIT_ROLES,
    MAX_ID,
    MAX_NAME,
    BadQuery,
    Cursor,
    Page,
    Row,
    TooSlow,
    check_limit,
    driver_errors,
    get_collection,
    public,
    tokenize,
)
from app.db.films import BY_RANK, CARD, person_directory
from app.db.records import documents
from app.db.search import planning, spelling, word_counts
from app.db.search.planning import Condition, Narrow, Plan
from app.db.search.query_text import Words, parse, without_and

ANY = Narrow()
ARTICLES = ("the", "a", "an")  # which people leave out of a title, or put behind it
MAX_COUNTED = 500  # films: a count reads them all, some 300 in a millisecond
MAX_PEOPLE = 5  # whose films a text finds: those with the most films, where more have the name
MAX_CREDITS = 5_000  # of theirs
MAX_MIXED_WORDS = 6  # a text of more isn't tried as a name and a title
MIN_NAME = 3  # letters of a name in such a text
MAX_CORRECTIONS = 8  # texts tried
MAX_CORRECTING_S = 2.0

Place = tuple[int, Cursor | None]
"""The number of a list (see `Search`) and the film in it after which to continue."""
START: Place = (0, None)


@dataclass(frozen=True)
class Found:
    """A film and the number of the list (see `Search`) in which it was found."""

    film: Row
    part: int


class Search:
    """The films that a text finds, as consecutive lists that share no film, each in rank order:

    films with exactly this title; films with all words in the title, the last one possibly unfinished; films of people
    with this name. If all of these are empty: films of people whose name has some of the words, with the others in the
    title or in somebody else's name. A quoted phrase stays together, in one title or one name.
    """

    def __init__(self, text: Any, narrow: Narrow = ANY) -> None:
        """Raises BadQuery when the text is no string or too long, or `narrow` is invalid."""
        self._words = parse(text)
        self._text: str = text
        self._tokens = tokenize(text)
        self._but_and = self._tokens if self._words.phrases else without_and(self._tokens)
        self._narrow = planning.of_narrow(narrow)
        self._parts: tuple[Callable[[], Plan | None], ...] = (
            self._exact,
            self._in_titles,
            self._by_people,
            self._mixed,
        )

    @property
    def parts(self) -> int:
        """The number of lists."""
        return len(self._parts)

    def best(self, limit: int, projection: Mapping[str, int], place: Place = START) -> list[Found]:
        """Up to `limit` films from a position on: a list, and a place in it."""
        found: list[Found] = []
        first, start = place
        for number in range(first, self.parts) if self._words else ():
            if number == self.parts - 1 and first < number and (found or place != START):
                break
            plan = self._parts[number]()
            if plan is not None:
                rows = plan.rows(start if number == first else None, limit - len(found), projection)
                found += [Found(row, number) for row in rows]
            if len(found) == limit:
                break
        return found

    def titles(self, limit: int, projection: Mapping[str, int]) -> list[Row]:
        """Up to `limit` films whose title is or contains the text."""
        plans = [self._exact(), self._in_titles()] if self._words else []
        return [row for plan in plans for row in plan.rows(None, limit, projection)][:limit]

    def hits(self) -> bool:
        """Whether any title or name has these words."""
        plans = (self._exact, self._in_titles, self._by_people) if self._words else ()
        return any(plan.rows(None, 1, {"_id": 1}) for find in plans if (plan := find()))

    def total(self) -> tuple[int | None, bool]:
        """The number of films, and whether it is an estimate; None if unknown without counting."""
        titles = self._titles  # exact ones too: these have the words
        if titles.films <= MAX_COUNTED:
            counts = [plan.count(MAX_COUNTED + 1) for plan in (titles, self._by_people()) if plan]
            if not any(counts) and (mixed := self._mixed()):
                counts = [mixed.count(MAX_COUNTED + 1)]
            return sum(counts), max(counts) > MAX_COUNTED
        one_list = len(self._tokens) == 1 and not self._narrow and titles.films < planning.EVERYTHING
        return titles.films if one_list else None, True

    # -- the lists

    @cached_property
    def _counts(self) -> dict[str, word_counts.Count]:
        return word_counts.counts(self._tokens)

    @cached_property
    def _titles(self) -> Plan:
        conditions = [*planning.of_words(self._words, self._counts), *self._narrow]
        phrases = [planning.has_phrase(phrase) for phrase in self._long_phrases]
        return planning.follow(conditions, [*phrases, *(planning.has_and(*pair) for pair in self._words.joined)])

    @property
    def _long_phrases(self) -> list[tuple[str, ...]]:
        """The phrases of several words; the others are just words."""
        return [phrase for phrase in self._words.phrases if len(phrase) > 1]

    @cached_property
    def _exact_titles(self) -> list[str]:
        exact = []
        for title in (" ".join(self._tokens), " ".join(self._but_and)):
            with_article = ((f"{article} {title}", f"{title} {article}") for article in ARTICLES)
            exact += [title, *chain.from_iterable(with_article)]
        return list(dict.fromkeys(exact))

    def _exact(self) -> Plan:
        titles = {"title_norm": {"$in": self._exact_titles}}
        return planning.follow([Condition(0, planning.TITLES, titles, {})], self._narrow_checks)

    def _in_titles(self) -> Plan:
        return self._titles.but({"title_norm": {"$nin": self._exact_titles}})

    def _by_people(self) -> Plan | None:
        return self._among(self._films_of_people, [{"$nor": [{"$and": planning.checks(self._words)}]}])

    @cached_property
    def _films_of_people(self) -> set[str]:
        may_be_name = len(self._text) <= MAX_NAME and self._names.issuperset(self._tokens[:-1])
        found = person_directory.find(self._text, limit=MAX_PEOPLE) if may_be_name else []
        return _films_of(_with_phrases(found, self._words))

    @cached_property
    def _names(self) -> set[str]:
        """The words that occur in people's names; most texts have none, so people needn't be searched."""
        return {word for word, count in self._counts.items() if count.people}

    def _mixed(self) -> Plan | None:
        return self._among(self._mixed_films, [])

    @cached_property
    def _mixed_films(self) -> set[str]:
        """Films for which one part of the text is a name and the rest is in the title or another name.

        A name's words must be complete here, and more than an initial or two.
        """
        films: set[str] = set()
        for first, second in [] if self._long_phrases else _splits(self._but_and):
            of_first, of_second = self._films_named(first), self._films_named(second)
            films |= of_first & of_second | self._titled(of_first, second) | self._titled(of_second, first)
        return films

    def _films_named(self, name: list[str]) -> set[str]:
        if not self._names.issuperset(name) or len("".join(name)) < MIN_NAME:
            return set()
        return _films_of(person_directory.find(" ".join(name), limit=MAX_PEOPLE))

    def _titled(self, films: set[str], words: list[str]) -> set[str]:
        """The films that have words in the title with these prefixes."""
        plan = self._among(films, [planning.has_beginning(word) for word in words])
        return {row["_id"] for row in plan.rows(None, MAX_CREDITS, {"_id": 1})} if plan else set()

    def _among(self, films: set[str], checks: list[Row]) -> Plan | None:
        """The films among these that pass the checks and the narrowing."""
        if not films:
            return None
        these = Condition(len(films), planning.IDS, {"_id": {"$in": sorted(films)}}, {})
        return planning.follow([these], [*checks, *self._narrow_checks])

    @property
    def _narrow_checks(self) -> list[Row]:
        return [condition.check for condition in self._narrow]


def _films_of(people: list[Row]) -> set[str]:
    """The ids of these people's films."""
    if not people:
        return set()
    query = {"person_id": {"$in": [row["_id"] for row in people]}}
    credits = get_collection("credits").find(query, {"movie_id": 1, "_id": 0}).limit(MAX_CREDITS)
    return {row["movie_id"] for row in credits}


def _with_phrases(people: list[Row], words: Words) -> list[Row]:
    """The people whose names contain the phrases literally."""
    names = [f" {' '.join(tokenize(person['name']))} " for person in people]
    phrases = [f" {' '.join(phrase)} " for phrase in words.phrases]
    return [person for person, name in zip(people, names, strict=True) if all(phrase in name for phrase in phrases)]


def _splits(tokens: list[str]) -> list[tuple[list[str], list[str]]]:
    """The text split in two, at every possible place."""
    places = range(1, len(tokens)) if len(tokens) <= MAX_MIXED_WORDS else ()
    return [(tokens[:i], tokens[i:]) for i in places]


@driver_errors()
def search_movies(text: str, *, narrow: Narrow = ANY, limit: int = 24, after: str | None = None) -> Page:
    """Films with every word of `text` and every "quoted phrase" in the title, and films of people with that name.

    In the order of `Search`, as `catalogue.CARD_FIELDS`. The last word may be a prefix. Case, accents and
    punctuation don't matter. A text without letters or digits finds nothing. `total` is None if it is unknown without
    counting. `previous` is always None.
    Raises BadQuery when the text is no string or too long, the cursor or `narrow` is invalid; TooSlow
    as `planning.Plan.rows`.
    """
    check_limit(limit)
    search = Search(text, narrow)
    found = search.best(limit + 1, CARD, START if after is None else _place(after, search.parts))
    more, found = len(found) > limit, found[:limit]
    total, estimate = search.total() if after is not None or more else (len(found), False)
    return Page(
        rows=[public(one.film) for one in found],
        next=f"{found[-1].part}.{BY_RANK.cursor_at(found[-1].film)}" if more else None,
        previous=None,
        total=total,
        total_is_estimate=estimate,
    )


def _place(token: str, parts: int) -> tuple[int, Cursor]:
    """Where a page ended. Raises BadQuery for an invalid cursor."""
    number, _, cursor = token.partition(".") if isinstance(token, str) else ("", "", "")
    if number not in map(str, range(parts)):
        raise BadQuery("this link is no longer valid; start over")
    return int(number), BY_RANK.decode(cursor)


@driver_errors()
def people_named(text: str, limit: int) -> list[Row]:
    """The people whom `text` names, as `person_directory.named`; their names contain its quoted phrases literally.

    Raises BadQuery as `search_movies`.
    """
    words = parse(text)
    return _with_phrases(person_directory.named(text, limit=limit), words)


@driver_errors()
def correct(text: str) -> str | None:
    """The nearest text that finds titles or people where `text` finds nothing: with words spelled similarly, split or
    joined.

    None if there is none, or none was found within MAX_CORRECTING_S. Raises BadQuery as `search_movies`.
    """
    if not parse(text):
        return None
    deadline = time.monotonic() + MAX_CORRECTING_S
    with suppress(TooSlow):
        for other in spelling.nearest(tokenize(text), MAX_CORRECTIONS):
            if Search(other).hits():
                return other
            if time.monotonic() > deadline:
                break
    return None


@driver_errors()
def movie_details(movie_id: str) -> Row:
    """A film, with all its credits under "credits": directors, then writers, then actors.

    Within each role, people with the most films in the library come first, then by name.

    Raises NotFound, or BadQuery when the id is no string.
    """
    if not isinstance(movie_id, str) or len(movie_id) > MAX_ID:
        raise BadQuery("a film's id is a short string")
    movie = documents.find("movies", movie_id)
    credit_rows = [public(row) for row in get_collection("credits").find({"movie_id": movie_id})]
    films = person_directory.appearances({row["person_id"] for row in credit_rows})
    credit_rows.sort(key=lambda row: (CREDIT_ROLES.index(row["role"]), -films.get(row["person_id"], 0), row["name"]))
    return {**movie, "credits": credit_rows}
