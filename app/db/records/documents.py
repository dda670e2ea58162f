"""Single documents: reading by id, and adding, changing and deleting in a transaction with everything that depends on
them.

Rows must be validated (see `app.db.core.validation`); rights and the audit log are up to the callers.
"""

from typing import Any

from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern

from app.db.core import (
    Duplicate,
    Movie,
    NotFound,
    Referenced,
    Row,
    ValidationFailed,
    converted_id,
    declaration,
    driver_errors,
    get_collection,
    get_model,
    in_transaction,
)
from app.db.films import claims, posters, ranking

# Collection -> the collections that refer to it, and the field that holds the id.
REFERENCES = {
    "movies": {"credits": "movie_id", "user_interactions": "movie_id"},
    "users": {"user_interactions": "user_id"},
}
_CALLED = {"movies": "film", "users": "user"}


def find(collection: str, document_id: Any, session: ClientSession | None = None) -> Row:
    """The document with this `_id`, without private fields. Raises NotFound, BadQuery."""
    query = {"_id": converted_id(collection, document_id)}
    documents, visible = get_collection(collection), dict.fromkeys(get_model(collection).private, 0) or None
    row = documents.find_one(query, visible, session=session)
    if row is None and session is None and get_model(collection) is Movie:
        # Shards answer one after the other, so both may miss a film that is moving between them. Reading all shards at
        # one point in time is certain, and is needed only here.
        row = documents.with_options(read_concern=ReadConcern("snapshot")).find_one(query, visible)
    if row is None:
        raise NotFound(f"{collection} have no {document_id!r:.80}")
    return row


def address(collection: str, row: Row) -> Row:
    """A query for exactly this document, which a router can send to the one shard that has it."""
    return {"_id": row["_id"]} | {key: row[key] for key in declaration(get_model(collection)).shard_key if key in row}


def insert(session: ClientSession, collection: str, row: Row) -> None:
    """Add a document. Raises ValidationFailed when it refers to a missing one, Duplicate for a film id in use."""
    errors = {}
    for parent, pointers in REFERENCES.items():
        key = pointers.get(collection)
        if key is not None and get_collection(parent).find_one({"_id": row[key]}, {"_id": 1}, session=session) is None:
            errors[key] = f"there is no such {_CALLED[parent]}"
    if errors:
        raise ValidationFailed(errors)
    if "movie_id" in row:
        claims.hold_all([row["movie_id"]], session)
    if get_model(collection) is Movie and claims.take_all({row["_id"]: row["title_hash"]}, session):
        raise Duplicate(f"{row['_id']} is the id of another film")
    get_collection(collection).insert_one(row, session=session)
    if get_model(collection) is Movie:
        ranking.rank(row["_id"], row["title_hash"], session)


@driver_errors()
def add(collection: str, row: Row) -> None:
    """`insert` in its own transaction."""
    in_transaction(lambda session: insert(session, collection, row))


def change(session: ClientSession, collection: str, current: Row, changed: Row) -> None:
    """Change `current`, as this transaction sees it, to `changed`, which has the same `_id`.

    Fields missing in `changed` are removed, except derived ones.
    """
    model = get_model(collection)
    if any(changed[key] != current[key] for key in declaration(model).shard_key):
        move_film(session, current, changed)
    else:
        removed = [name for name in current if name not in changed and name not in (*model.derived, *model.private)]
        update = {
            "$set": {name: value for name, value in changed.items() if name not in current or current[name] != value},
            "$unset": dict.fromkeys(removed, ""),
        }
        if update := {operator: fields for operator, fields in update.items() if fields}:
            get_collection(collection).update_one(address(collection, current), update, session=session)
    if model is Movie:
        ranking.rank(changed["_id"], changed["title_hash"], session)


def move_film(session: ClientSession, current: Row, changed: Row) -> None:
    """Change a film's title and with it its shard key; in a transaction nobody sees it twice or not at all.

    Raises NotFound when it no longer exists, ValidationFailed while it is being imported.
    """
    if not get_collection("movies").delete_one(address("movies", current), session=session).deleted_count:
        raise NotFound(f"film {current['_id']} has been changed or deleted in the meantime")
    # `changed` has all other derived fields; only `poster` isn't derived from the film's own fields.
    film = {**changed, "poster": current["poster"]} if "poster" in current else changed
    get_collection("movies").insert_one(film, session=session)
    claims.move_all({changed["_id"]: changed["title_hash"]}, session)


def count_dependents(collection: str, document_id: Any) -> dict[str, int]:
    """The number of dependents by collection; collections without any are left out."""
    counts = {
        other: get_collection(other).count_documents({field: document_id})
        for other, field in REFERENCES.get(collection, {}).items()
    }
    return {other: count for other, count in counts.items() if count}


def find_dependents(session: ClientSession, collection: str, document_id: Any, most: int) -> dict[str, list[Row]]:
    """The dependents by collection, at most `most` of each."""
    return {
        other: list(get_collection(other).find({field: document_id}, session=session).limit(most))
        for other, field in REFERENCES.get(collection, {}).items()
    }


def delete(session: ClientSession, collection: str, row: Row, *, cascade: bool) -> dict[str, int]:
    """Delete a document, with `cascade` also its dependents; returns their number by collection.

    Raises Referenced when there are dependents and `cascade` is False.
    """
    gone: dict[str, int] = {}
    for other, field in REFERENCES.get(collection, {}).items():
        dependents, query = get_collection(other), {field: row["_id"]}
        if cascade:
            gone[other] = dependents.delete_many(query, session=session).deleted_count
        elif dependents.find_one(query, {"_id": 1}, session=session) is not None:
            raise Referenced(count_dependents(collection, row["_id"]))
    get_collection(collection).delete_one(address(collection, row), session=session)
    if get_model(collection) is Movie:
        claims.release_all([row["_id"]], session)
        posters.delete_all([row], session)
    return {other: count for other, count in gone.items() if count}
