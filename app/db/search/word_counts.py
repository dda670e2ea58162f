"""The words of titles and names, each with its numbers of films and people, for search and suggestions.

Searches read the films themselves; this collection only tells which word is the rarest, which words have a prefix, and
which are spelled like an unknown one. If a word is missing here, a film isn't found by that word's prefix as long as
other words have the same prefix. Loads update it with `refresh`, other writes with `note`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bson import Regex
from pymongo import DeleteOne, IndexModel, UpdateOne

from app.db.core import Row, driver_errors, get_collection, insert_missing, now, time_limit

NAME = "search_words"
# {_id: word, films, people, near, noted_at}: its numbers of titles and names; the word itself and with each letter left
# out; and the time of `note`, if it came from there.
INDEXES: dict[str, list[IndexModel]] = {NAME: [IndexModel("near")]}

# One edit away from a word shorter than this there is usually just another word.
MIN_SPELLED = 4  # letters
MAX_SPELLED = 30
MAX_ENDINGS = 200  # words; MongoDB merges at most so many lists in order (internalQueryMaxScansToExplode)
REFRESH_TIMEOUT_S = 600.0
BATCH = 5_000  # words


@dataclass(frozen=True)
class Count:
    """The numbers of titles and names that have a word."""

    films: int
    people: int


@driver_errors()
def counts(words: Iterable[str]) -> dict[str, Count]:
    """The words among `words` that occur in titles or names."""
    found = get_collection(NAME).find({"_id": {"$in": sorted(words)}}, {"films": 1, "people": 1})
    return {row["_id"]: Count(row["films"], row["people"]) for row in found}


@driver_errors()
def endings(prefix: str) -> dict[str, int] | None:
    """Word -> number of films, for title words with this prefix; None if there are more than MAX_ENDINGS."""
    # bson.Regex: Python's re.compile would pass its UNICODE flag on, and then ^ doesn't bound the index scan.
    beginning = {"_id": Regex(f"^{re.escape(prefix)}"), "films": {"$gt": 0}}
    found = list(get_collection(NAME).find(beginning, {"films": 1}).limit(MAX_ENDINGS + 1))
    return {row["_id"]: row["films"] for row in found} if len(found) <= MAX_ENDINGS else None


@driver_errors()
def similar(words: Iterable[str], limit: int) -> dict[str, Count]:
    """As `counts`, for at most `limit` words that are one or two typos away from one of `words`."""
    variants = sorted({variant for word in words for variant in spellings(word)})
    found = get_collection(NAME).find({"near": {"$in": variants}}, {"films": 1, "people": 1}).limit(limit)
    return {row["_id"]: Count(row["films"], row["people"]) for row in found}


def spellings(word: str) -> list[str]:
    """The word, and the word with each letter left out.

    Two words that share one of these are at most one insertion and one deletion apart: this includes all that differ
    by a single letter or by two exchanged neighbours (the symmetric deletions of W. Garbe's SymSpell).
    """
    return list(dict.fromkeys([word, *(word[:i] + word[i + 1 :] for i in range(len(word)))]))


@driver_errors()
def refresh() -> int:
    """Recount all words of titles and names; returns how many changed. Call it after loads.

    One pass over films and people; only differences are written, so readers miss no word. A word that is noted in the
    meantime stays as noted, since its film may not have been counted.
    """
    words = get_collection(NAME)
    with time_limit(REFRESH_TIMEOUT_S):
        there = {row["_id"]: row for row in words.find({}, {"near": 0})}
        films, people = _count("movies", "search_tokens"), _count("people", "words")
        new: list[Row] = []
        changes: list[UpdateOne | DeleteOne] = []
        for word in there.keys() | films.keys() | people.keys():
            counts = {"films": films.get(word, 0), "people": people.get(word, 0)}
            if word in there:
                changes += _difference(there[word], counts)
            else:
                new.append({"_id": word, **counts, **_near(word)})
        for begin in range(0, len(new), BATCH):
            insert_missing(NAME, new[begin : begin + BATCH])
        for begin in range(0, len(changes), BATCH):
            words.bulk_write(changes[begin : begin + BATCH], ordered=False)
    return len(new) + len(changes)


def _difference(old: Row, counts: dict[str, int]) -> list[UpdateOne | DeleteOne]:
    """The change to a word that was `old` before the count."""
    as_read = {"_id": old["_id"], "noted_at": old.get("noted_at")}
    if not any(counts.values()):
        return [DeleteOne(as_read)]
    return [] if {field: old[field] for field in counts} == counts else [UpdateOne(as_read, {"$set": counts})]


@driver_errors()
def note(tokens: Iterable[str], *, of_name: bool = False) -> None:
    """Add the words of titles, or names, that were just written. `refresh` counts them."""
    field, other = ("people", "films") if of_name else ("films", "people")
    changes = [
        UpdateOne(
            {"_id": word},
            {"$set": {"noted_at": now()}, "$max": {field: 1}, "$setOnInsert": {other: 0, **_near(word)}},
            upsert=True,
        )
        for word in dict.fromkeys(tokens)
    ]
    if changes:
        get_collection(NAME).bulk_write(changes, ordered=False)


def _near(word: str) -> dict[str, Any]:
    return {"near": spellings(word)} if MIN_SPELLED <= len(word) <= MAX_SPELLED else {}


def _count(collection: str, field: str) -> dict[str, int]:
    """Word -> number of documents that have it."""
    stages: list[Row] = [{"$unwind": f"${field}"}, {"$group": {"_id": f"${field}", "documents": {"$sum": 1}}}]
    return {row["_id"]: row["documents"] for row in get_collection(collection).aggregate(stages, allowDiskUse=True)}
