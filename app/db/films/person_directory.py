"""The directory of people: everybody with a credit, with name, roles and number of films.

Derived from `credits`, where searching two million names takes a second. Loads update it with `refresh`, writes of a
few credits with `note_all`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from bson import Regex
from pymongo import DeleteOne, IndexModel, ReplaceOne

from app.db.core import (
    CREDIT_ROLES,
    MAX_ID,
    MAX_NAME,
    BadQuery,
    NotFound,
    Row,
    check_limit,
    driver_errors,
    get_collection,
    insert_missing,
    iterate,
    time_limit,
    tokenize,
)
from app.db.films.catalogue import CARD

# {_id: person_id, name, name_norm, words, roles, films}: the commonest spelling of the name and its tokens, the roles
# in the order of CREDIT_ROLES, and the number of films.
NAME = "people"
_BY_FILMS = [("films", -1), ("_id", 1)]
_BY_WORD = [("words", 1), *_BY_FILMS]
INDEXES: dict[str, list[IndexModel]] = {NAME: [IndexModel(_BY_WORD), IndexModel(_BY_FILMS)]}
SHOWN = {"name": 1, "roles": 1, "films": 1}

MAX_WORDS = 20  # of a name searched for
MAX_COUNTED = 3  # words whose people are counted to find the rarest; the longest ones
MANY = 2_000  # people; sorting as many takes 5 ms
WELL_KNOWN = 5_000  # people with the most films; several unfinished words are searched among them only
MAX_NAMESAKES = 100  # people searched for an exact name
MAX_CREDITS = 1_000  # of a person that are shown
DIRECTING = 3  # how many acting parts one film as director outweighs: directors with cameos are known for directing
BATCH = 1_000  # people
ATTEMPTS = 5  # at people who are being written concurrently; then they wait for the next refresh
SOURCE = ("person_id", "name", "role", "movie_id")  # of a credit
REFRESH_TIMEOUT_S = 120.0  # for one batch


# -- reading


@driver_errors()
def find(text: str, *, role: str | None = None, limit: int = 8, unfinished: bool = False) -> list[Row]:
    """The people whose names have all words of `text` in any order, the last as a prefix; most films first.

    With `unfinished` each word is a prefix ("leo di"); if all of these are common, only the WELL_KNOWN people with the
    most films are searched. Each person is {_id, name, roles, films}. A text without letters or digits finds nobody.
    Raises BadQuery for no string, a too long one, a role that isn't in CREDIT_ROLES, or a bad limit.
    """
    words = name_words(text)
    check_limit(limit)
    return _find([*map(_beginning if unfinished else _whole, words[:-1]), *map(_beginning, words[-1:])], role, limit)


@driver_errors()
def named(name: str, *, role: str | None = None, limit: int = 8) -> list[Row]:
    """The people meant by a typed `name`. Rows and errors as `find`.

    People with exactly this name; otherwise people whose names have all its words; otherwise as `find`.
    """
    words = name_words(name)
    check_limit(limit)
    people = _find([_whole(word) for word in words], role, MAX_NAMESAKES)
    if exactly := [person for person in people if tokenize(person["name"]) == words]:
        return exactly[:limit]
    return people[:limit] or find(name, role=role, limit=limit)


@driver_errors()
def person(person_id: str) -> Row:
    """{_id, name, roles, films, works}: `works` maps each role to the person's films, best first; the role that the
    person is best known for comes first.

    A film is as `catalogue.CARD_FIELDS`, an actor's also with `character` if known. At most MAX_CREDITS credits are
    read; `films` counts those shown. Raises NotFound for somebody without credits, BadQuery for an invalid id.
    """
    if not isinstance(person_id, str) or len(person_id) > MAX_ID:
        raise BadQuery("a person's id is a short string")
    credits = list(get_collection("credits").find({"person_id": person_id}).limit(MAX_CREDITS))
    if not credits:
        raise NotFound(f"nobody has the id {person_id!r:.80}")
    row = _row(person_id, credits)
    ids = sorted({credit["movie_id"] for credit in credits})
    films = {film["_id"]: film for film in get_collection("movies").find({"_id": {"$in": ids}}, CARD)}
    works = {role: _films(films, [credit for credit in credits if credit["role"] == role]) for role in row["roles"]}
    works = {role: works[role] for role in known_for({role: len(own) for role, own in works.items()})}
    return {"_id": person_id, **{field: row[field] for field in SHOWN}, "films": len(films), "works": works}


def known_for(films: Mapping[str, int]) -> list[str]:
    """A person's roles, given with their numbers of films, in order of what the person is known for."""

    def weight(role: str) -> int:
        return films[role] * (DIRECTING if role == "DIRECTOR" else 1)

    return sorted(films, key=lambda role: (-weight(role), CREDIT_ROLES.index(role)))


@driver_errors()
def appearances(person_ids: Iterable[str]) -> dict[str, int]:
    """Person id -> number of films, for those of these people that the directory has."""
    ids = sorted(person_ids)
    found = get_collection(NAME).find({"_id": {"$in": ids}}, {"films": 1}) if ids else ()
    return {person["_id"]: person["films"] for person in found}


def name_words(text: Any) -> list[str]:
    """The words of a name as people type it. Raises BadQuery when it is no string, or longer than any name."""
    if not isinstance(text, str) or len(text) > MAX_NAME:
        raise BadQuery(f"a name is a text of at most {MAX_NAME} characters")
    words = tokenize(text)
    if len(words) > MAX_WORDS:
        raise BadQuery(f"a name has at most {MAX_WORDS} words")
    return words


@dataclass(frozen=True, eq=False)
class _Word:
    """A word searched for, as two conditions: for the index of words, and for a complete name."""

    indexed: Any
    in_name: Regex[str]
    is_beginning: bool = False


# bson.Regex: Python's re.compile would send its UNICODE flag along, and then ^ doesn't bound the index scan.
def _whole(word: str) -> _Word:
    return _Word(word, Regex(f"(^| ){re.escape(word)}( |$)"))


def _beginning(word: str) -> _Word:
    return _Word(Regex(f"^{re.escape(word)}"), Regex(f"(^| ){re.escape(word)}"), is_beginning=True)


def _find(words: list[_Word], role: str | None, limit: int) -> list[Row]:
    """The people with all these words, most films first: scans the list of the rarest word and checks the others.

    MongoDB's own planner tries all lists once and then keeps the winner for any words.
    """
    if role is not None and role not in CREDIT_ROLES:
        raise BadQuery(f"role must be one of {', '.join(CREDIT_ROLES)}")
    if not words:
        return []
    rarest, count = _rarest(words)
    if not count:
        return []
    if rarest.is_beginning and count == MANY:
        conditions, index = _down_all(words), _BY_FILMS
    else:
        others = [{"name_norm": word.in_name} for word in words if word is not rarest]
        conditions, index = [{"words": rarest.indexed}, *others], _BY_WORD
    if role is not None:
        conditions.append({"roles": role})
    found = get_collection(NAME).find({"$and": conditions}, SHOWN, hint=index)
    return list(found.sort(_BY_FILMS).limit(limit))


def _down_all(words: list[_Word]) -> list[Row]:
    """The conditions for scanning all people, most films first.

    A prefix's list isn't in that order; if it is long, this scan soon finds matches. Several prefixes together may
    match so few that it would scan everybody, so it stops after the WELL_KNOWN.
    """
    conditions: list[Row] = [{"name_norm": word.in_name} for word in words]
    if len(words) > 1:
        last = get_collection(NAME).find({}, {"films": 1}).sort(_BY_FILMS).skip(WELL_KNOWN - 1).limit(1)
        conditions += [{"films": {"$gte": row["films"]}} for row in last]
    return conditions


def _rarest(words: list[_Word]) -> tuple[_Word, int]:
    """The word with the fewest people, and their number, counted up to MANY."""
    longest = sorted(words, key=lambda word: -len(word.in_name.pattern))[:MAX_COUNTED]
    people = get_collection(NAME)
    counts = [(people.count_documents({"words": word.indexed}, limit=MANY, hint=_BY_WORD), word) for word in longest]
    count, rarest = min(counts, key=lambda pair: (pair[0], pair[1].is_beginning))
    return rarest, count


def _films(films: dict[str, Row], credits: list[Row]) -> list[Row]:
    """The films of these credits, each once, best ranked first."""
    characters: dict[str, Row] = {}
    for credit in credits:
        character = credit.get("character")
        characters.setdefault(credit["movie_id"], {}).update({"character": character} if character else {})
    cards = [{**films[film], **extra} for film, extra in characters.items() if film in films]
    return sorted(cards, key=lambda card: (-(card.get("ranking_score") or 0), card["_id"]))


# -- keeping up with the credits


def refresh() -> int:
    """Bring the whole directory up to date with the credits; returns how many people changed. Call it after loads.

    Reads credits and directory side by side in order of person id and writes only the differences, so readers always
    find everybody. Raises DatabaseError.
    """
    changed, last = 0, ""
    empty = _is_empty()
    people = _people(iterate("credits", sort="person_id", fields=SOURCE))
    while batch := list(islice(people, BATCH)):
        if empty:
            changed += _insert(batch)
        end = batch[-1]["_id"]
        changed += _update(_differences({row["_id"]: row for row in batch}, {"$gt": last, "$lte": end}))
        last = end
    return changed + _update(_differences({}, {"$gt": last}))


@driver_errors()
def _is_empty() -> bool:
    return get_collection(NAME).find_one({}, {"_id": 1}) is None


@driver_errors()
def _insert(people: list[Row]) -> int:
    """For a first load: unlike `_update`, this doesn't read the credits again to rule out concurrent changes."""
    with time_limit(REFRESH_TIMEOUT_S):
        return insert_missing(NAME, people)


def note_all(person_ids: Iterable[str]) -> None:
    """Update people whose credits were just added, changed or deleted. Raises DatabaseError."""
    _update(set(person_ids))


def _people(credits: Iterable[Row]) -> Iterator[Row]:
    """People from credits sorted by person."""
    for person_id, own in groupby(credits, key=lambda credit: credit["person_id"]):
        yield _row(person_id, own)


def _row(person_id: str, credits: Iterable[Row]) -> Row:
    names: Counter[str] = Counter()
    roles, films = set(), set()
    for credit in credits:
        names[credit["name"]] += 1
        roles.add(credit["role"])
        films.add(credit["movie_id"])
    name = max(names, key=lambda name: (names[name], name))
    words = tokenize(name)
    return {
        "_id": person_id,
        "name": name,
        "name_norm": " ".join(words),
        "words": list(dict.fromkeys(words)),
        "roles": [role for role in CREDIT_ROLES if role in roles],
        "films": len(films),
    }


@driver_errors()
def _differences(people: dict[str, Row], ids: Row) -> set[str]:
    """The ids in this range whose entry in the directory differs."""
    with time_limit(REFRESH_TIMEOUT_S):
        there = {row["_id"]: row for row in get_collection(NAME).find({"_id": ids})}
    return {key for key in there.keys() | people.keys() if there.get(key) != people.get(key)}


@driver_errors()
def _update(person_ids: set[str]) -> int:
    """Update the directory for these people from their credits; returns how many changed.

    An entry is only replaced if it is as it was before the credits were read. If somebody else has written it in the
    meantime, whether from older or newer credits, the credits are read again.
    """
    changed, ids = 0, iter(sorted(person_ids))
    while batch := list(islice(ids, BATCH)):
        for _ in range(ATTEMPTS):
            with time_limit(REFRESH_TIMEOUT_S):
                new, changes = _changes(batch)
                written = insert_missing(NAME, new)
                if changes:
                    result = get_collection(NAME).bulk_write(changes, ordered=False)
                    written += result.modified_count + result.deleted_count
            changed += written
            if written == len(new) + len(changes):
                break
    return changed


def _changes(person_ids: list[str]) -> tuple[list[Row], list[ReplaceOne[Row] | DeleteOne]]:
    """What to insert, and what to replace or delete."""
    among = {"$in": person_ids}
    there = {row["_id"]: row for row in get_collection(NAME).find({"_id": among})}
    credits = get_collection("credits").find({"person_id": among}, dict.fromkeys(SOURCE, 1)).sort("person_id")
    people = {row["_id"]: row for row in _people(credits)}
    changes: list[ReplaceOne[Row] | DeleteOne] = []
    for key, old in there.items():
        if key not in people:
            changes.append(DeleteOne(old))
        elif people[key] != old:
            changes.append(ReplaceOne(old, people[key]))
    return [row for key, row in people.items() if key not in there], changes
