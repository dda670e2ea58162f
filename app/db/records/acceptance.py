"""Which documents of a batch can't be taken, because of what the database holds already."""

from app.db.core import Row, declaration, get_collection, get_model
from app.db.films import claims
from app.db.records.documents import REFERENCES

_CALLED = {"movies": "film", "users": "user"}

Refused = dict[int, dict[str, str]]
"""Documents that can't be taken: their place in a batch -> field -> reason."""


def claim(films: dict[int, Row], expect_new: bool) -> tuple[set[str], Refused]:
    """Claim the ids of films; `expect_new` is faster as long as hardly any of them is claimed already.

    Returns the ids of which there can be no films yet, and the films whose id is another film's.
    """
    # Backwards, so that of two films with one id the first counts.
    wanted = {film["_id"]: film["title_hash"] for film in reversed(films.values())}
    owners, new = claims.claim_new(wanted, expect_new=expect_new)
    return new, {
        place: {"_id": "is the id of another film"}
        for place, film in films.items()
        if owners[film["_id"]] != film["title_hash"]
    }


def of_others(name: str, documents: dict[int, Row]) -> Refused:
    """The documents that bring an `_id` which another one has: shards would take both, a single mongod neither."""
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
    """The documents that refer to what doesn't exist."""
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
    """The fields that no two documents share."""
    unique = [index.keys for index in declaration(get_model(name)).indexes if index.unique]
    return [field for field, _ in unique[0]] if unique else ["_id"]
