"""Which documents of a batch must be rejected because of existing data."""

from app.db.core import Row, declaration, get_collection, get_model
from app.db.films import claims
from app.db.records.documents import REFERENCES

_CALLED = {"movies": "film", "users": "user"}

Refused = dict[int, dict[str, str]]
"""Rejected documents: place in the batch -> field -> reason."""


def claim(films: dict[int, Row], expect_new: bool) -> tuple[set[str], Refused]:
    """Claim film ids; `expect_new` is faster if hardly any of them are claimed already.

    Returns the newly claimed ids, which can't have films yet, and the films whose id belongs to another film.
    """
    # Reversed, so that the first of two films with the same id counts.
    wanted = {film["_id"]: film["title_hash"] for film in reversed(films.values())}
    owners, new = claims.claim_new(wanted, expect_new=expect_new)
    return new, {
        place: {"_id": "is the id of another film"}
        for place, film in films.items()
        if owners[film["_id"]] != film["title_hash"]
    }


def of_others(name: str, documents: dict[int, Row]) -> Refused:
    """The documents whose `_id` belongs to another one; shards might accept both."""
    given = {place: document for place, document in documents.items() if "_id" in document}
    if not given:
        return {}
    key = identity(name)
    ids = list({document["_id"] for document in given.values()})
    rows = get_collection(name).find({"_id": {"$in": ids}}, dict.fromkeys(key, 1))
    owners = {row["_id"]: tuple(map(row.get, key)) for row in rows}
    refused: Refused = {}
    for place, document in given.items():
        own = tuple(map(document.get, key))
        if owners.setdefault(document["_id"], own) != own:
            refused[place] = {"_id": "is the id of another record"}
    return refused


def unreferenced(name: str, documents: dict[int, Row]) -> Refused:
    """The documents that refer to missing ones."""
    refused: Refused = {}
    for parent, pointers in REFERENCES.items():
        if key := pointers.get(name):
            ids = list({document[key] for document in documents.values()})
            there = {row["_id"] for row in get_collection(parent).find({"_id": {"$in": ids}}, {"_id": 1})}
            for place, document in documents.items():
                if document[key] not in there:
                    refused.setdefault(place, {})[key] = f"there is no such {_CALLED[parent]}"
    return refused


def identity(name: str) -> list[str]:
    """The fields that identify a document."""
    unique = [index.keys for index in declaration(get_model(name)).indexes if index.unique]
    return [field for field, _ in unique[0]] if unique else ["_id"]
