"""The words of titles and names, with how many films and people have them: what search and suggestions go by.

Searches look at the films themselves. This says which of several words is the rarest, which words begin with the
letters typed so far, and which are spelled nearly like one that nobody knows. So a film is missed by nothing but the
beginning of a word of its title that isn't here, if other words begin so too. Loads bring it up to date with `refresh`,
other writes with `note`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bson import Regex
from pymongo import DeleteOne, IndexModel, UpdateOne

from app.db.core import Row, driver_errors, get_collection, insert_missing, now, time_limit

NAME = "search_words"
# {_id: word, films, people, near, noted_at}: in how many titles and names it is; the word and what is left of it when
# one letter is missing; and when it was taken in, if it was by itself.
INDEXES: dict[str, list[IndexModel]] = {NAME: [IndexModel("near")]}

# What differs by one letter more, less, wrong or out of place from a shorter word is most often just another word.
MIN_SPELLED = 4  # letters
MAX_SPELLED = 30
MAX_ENDINGS = 200  # words; MongoDB merges at most so many lists in order (internalQueryMaxScansToExplode)
REFRESH_TIMEOUT_S = 600.0
BATCH = 5_000  # words


@dataclass(frozen=True)
class Count:
    """In how many titles and names a word is."""

    films: int
    people: int


@driver_errors()
def counts(words: Iterable[str]) -> dict[str, Count]:
    """Those of `words` that there are in titles or names."""
    found = get_collection(NAME).find({"_id": {"$in": sorted(words)}}, {"films": 1, "people": 1})
    return {row["_id"]: Count(row["films"], row["people"]) for row in found}


@driver_errors()
def endings(prefix: str) -> dict[str, int] | None:
    """Word -> number of films, for the words of titles that begin so; None when they are more than MAX_ENDINGS."""
    # bson.Regex: Python's re.compile would send its UNICODE flag along, and then ^ doesn't bound the index scan.
    beginning = {"_id": Regex(f"^{re.escape(prefix)}"), "films": {"$gt": 0}}
    found = list(get_collection(NAME).find(beginning, {"films": 1}).limit(MAX_ENDINGS + 1))
    return {row["_id"]: row["films"] for row in found} if len(found) <= MAX_ENDINGS else None


@driver_errors()
def similar(words: Iterable[str], limit: int) -> dict[str, Count]:
    """As `counts`, of the words that one or two typing mistakes make into one of `words`; at most `limit` of them."""
    variants = sorted({variant for word in words for variant in spellings(word)})
    found = get_collection(NAME).find({"near": {"$in": variants}}, {"films": 1, "people": 1}).limit(limit)
    return {row["_id"]: Count(row["films"], row["people"]) for row in found}


def spellings(word: str) -> list[str]:
    """The word, and it with each of its letters left out.

    Two words that share one of these are at most one insertion and one deletion apart: so are all that differ by a
    single letter, or have two neighbours exchanged (the symmetric deletions of W. Garbe's SymSpell).
    """
    return list(dict.fromkeys([word, *(word[:i] + word[i + 1 :] for i in range(len(word)))]))


@driver_errors()
def refresh() -> int:
    """Count all words of titles and names anew; returns how many changed. To be called after loads.

    Only differences are written, so readers miss no word meanwhile. A pass over films and people. A word that is noted
    meanwhile, for a film that may not have been counted, stays as it was noted.
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
    """What to write about a word that was there as `old` before it was counted."""
    as_read = {"_id": old["_id"], "noted_at": old.get("noted_at")}
    if not any(counts.values()):
        return [DeleteOne(as_read)]
    return [] if {field: old[field] for field in counts} == counts else [UpdateOne(as_read, {"$set": counts})]


@driver_errors()
def note(tokens: Iterable[str], *, of_name: bool = False) -> None:
    """Take in the words of titles that were just written, or of names. They are counted by `refresh`."""
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
    """Word -> in how many documents it is."""
    stages: list[Row] = [{"$unwind": f"${field}"}, {"$group": {"_id": f"${field}", "documents": {"$sum": 1}}}]
    return {row["_id"]: row["documents"] for row in get_collection(collection).aggregate(stages, allowDiskUse=True)}
