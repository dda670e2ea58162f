"""The operations on records that both apps use, under the names of the original design.

This is the first published API: it stays importable as `app.db.operations`, whatever packages are behind it.

Every name and value is checked against the model before it becomes part of a query. Values pass their field's
converter, which refuses dictionaries: {"$ne": null} is an error here and never an operator.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from pymongo.client_session import ClientSession

from app.db.accounts import authenticate as check_user_credentials
from app.db.accounts import check_password, hash_password
from app.db.core import (
    MAX_LIMIT,
    USER,
    Actor,
    Administrator,
    BadQuery,
    Condition,
    Movie,
    NotFound,
    Row,
    ValidationFailed,
    audit,
    check_limit,
    check_version,
    converted_id,
    custom_hash,
    declaration,
    driver_errors,
    fields_of,
    filters,
    get_collection,
    get_model,
    in_transaction,
    prepare,
    public,
    version,
)
from app.db.core import prepare as preprocess_json_item
from app.db.films import ranking
from app.db.records import REFERENCES, Counts, Reject, bulk, documents
from app.db.search import derived

__all__ = [
    "REFERENCES",
    "check_admin_status",
    "check_password",
    "check_user_credentials",
    "count_dependents",
    "custom_hash",
    "delete_document",
    "delete_documents",
    "find_document",
    "get_keys",
    "get_model",
    "hash_password",
    "insert_credit",
    "insert_documents",
    "insert_one",
    "list_documents",
    "preprocess_json_item",
    "update_document",
    "update_one",
    "version",
]

# Only app.db.accounts writes these, as it handles passwords.
_READ_ONLY = {"users", "administrators"}


def get_keys(collection: str) -> list[str]:
    """The names of a collection's fields in order, without private ones. Raises BadQuery."""
    model = get_model(collection)
    return [name for name in fields_of(model) if name not in model.private]


@driver_errors()
def check_admin_status(username: str) -> int:
    """1 for an admin, 2 for a superadmin, else 0. Raises BadQuery if the name is no string."""
    if not isinstance(username, str):
        raise BadQuery("a user name is a string")
    found = Administrator.objects(username=username.strip().lower()).only("admin_status").first()
    return found.admin_status if found else USER


@driver_errors()
def find_document(collection: str, document_id: str) -> Row:
    """The document with this `_id`, without private fields. Raises NotFound, BadQuery."""
    return public(documents.find(collection, document_id))


@driver_errors()
def count_dependents(collection: str, document_id: str) -> dict[str, int]:
    """The number of a document's dependents by collection, without zeros. Raises BadQuery."""
    return documents.count_dependents(collection, converted_id(collection, document_id))


@driver_errors()
def list_documents(
    collection: str,
    limit: int = 50,
    *,
    sort_field: str = "_id",
    sort_direction: int = 1,
    filter_by: Mapping[str, Any] | None = None,
    filter_op: Mapping[str, str] | None = None,
    conditions: Sequence[Condition] = (),
    skip: int = 0,
) -> list[Row]:
    """Documents that meet every condition: field `f` compared with `filter_by[f]` by `filter_op[f]` (default: "eq").

    `conditions` are further ones, also several for the same field. `sort_direction` is 1 or -1.
    Skipping takes time in proportion to `skip`; `app.db.core.list_page` pages without. Raises BadQuery.
    """
    keys = get_keys(collection)
    check_limit(limit)
    if sort_field not in keys or sort_direction not in (1, -1):
        raise BadQuery(f"{collection} can't be sorted by {sort_field!r:.80}, {sort_direction!r:.80}")
    if type(skip) is not int or not 0 <= skip < 2**31:
        raise BadQuery("skip must be a whole number, not negative")
    order = [(sort_field, sort_direction)] + ([("_id", sort_direction)] if sort_field != "_id" else [])
    wanted = [*_conditions(filter_by or {}, filter_op or {}), *conditions]
    found = get_collection(collection).find(filters.query(collection, wanted), _visible(collection))
    return [public(row) for row in found.sort(order).skip(skip).limit(limit)]


@driver_errors()
def insert_one(collection: str, document: Mapping[str, Any], *, actor: Actor | None = None) -> str:
    """Add a document and return its `_id`, generated for a film without one; with `actor` it is logged.

    Raises ValidationFailed (also when it refers to a missing document), Duplicate, BadQuery.
    """
    _check_writable(collection)
    given = dict(document)
    if get_model(collection) is Movie and not (given.get("_id") or given.get("id")):
        given["_id"] = uuid4().hex
    row = prepare(collection, given)

    def work(session: ClientSession) -> None:
        documents.insert(session, collection, row)
        if actor is not None:
            audit.record(actor, "create", collection, row["_id"], None, row, session=session)

    in_transaction(work)
    derived.note(collection, row)
    return str(row["_id"])


def insert_credit(credit: Mapping[str, Any], *, actor: Actor | None = None) -> str:
    """Add a credit to an existing film; a missing person_id is derived from the name. As `insert_one`."""
    return insert_one("credits", credit, actor=actor)


def insert_documents(collection: str, items: Iterable[Mapping[str, Any]]) -> tuple[Counts, list[Reject]]:
    """Add many documents, skipping existing ones; a Reject's `line` is the position, from 1.

    Raises LoadStopped when the database fails, BadQuery.
    """
    _check_writable(collection)
    rejects: list[Reject] = []
    load = derived.Load(collection)
    documents = ((number, dict(item)) for number, item in enumerate(items, 1))
    counts = bulk.load(collection, documents, on_new=load.add, on_reject=rejects.append)
    if get_model(collection) is Movie and counts.inserted:
        ranking.recompute()
    load.take_in()
    return counts, rejects


@driver_errors()
def update_document(
    collection: str,
    document_id: str,
    changes: Mapping[str, Any],
    *,
    actor: Actor | None = None,
    version: str | None = None,
) -> Row:
    """Change fields of a document (None or "" removes one) and return it; with `actor` it is logged.

    `version` is the version that was read: Conflict is raised if it has changed. Without it, the changes are made in
    any case. Raises NotFound, BadQuery, Duplicate, ValidationFailed (also for `_id` and a credit's film, which can't be
    changed).
    """
    _check_writable(collection)
    model = get_model(collection)
    fixed = ("_id",) if model is Movie else ("_id", *declaration(model).shard_key)

    def work(session: ClientSession) -> tuple[Row, Row]:
        current = documents.find(collection, document_id, session)
        check_version(current, version)
        changed = prepare(collection, {**current, **changes})
        if forbidden := [field for field in fixed if changed[field] != current[field]]:
            raise ValidationFailed(dict.fromkeys(forbidden, "can't be changed; delete this one and make another"))
        documents.change(session, collection, current, changed)
        if actor is not None:
            audit.record(actor, "edit", collection, current["_id"], current, changed, session=session)
        return current, changed

    derived.note(collection, *in_transaction(work))
    return find_document(collection, document_id)


@driver_errors()
def update_one(collection: str, filter_by: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Change the first document whose fields equal `filter_by`; returns whether there was one. As `update_document`."""
    if not filter_by:
        raise BadQuery("say which document to change")
    found = get_collection(collection).find_one(
        filters.query(collection, _conditions(filter_by, {})), {"_id": 1}, sort=[("_id", 1)]
    )
    if found is None:
        return False
    update_document(collection, str(found["_id"]), changes)
    return True


@driver_errors()
def delete_document(
    collection: str,
    document_id: str,
    *,
    cascade: bool = False,
    actor: Actor | None = None,
    version: str | None = None,
) -> bool:
    """Delete a document; returns whether it existed. With `actor` it is logged.

    Raises Referenced when it has dependents, unless `cascade` deletes those too, Conflict when it is no longer the
    given `version`, and BadQuery.
    """
    _check_writable(collection)

    def work(session: ClientSession) -> tuple[bool, list[Row]]:
        try:
            current = documents.find(collection, document_id, session)
        except NotFound:
            return False, []
        check_version(current, version)
        credits = [current] if collection == "credits" else _credits_of(session, collection, current)
        dependents = (
            documents.find_dependents(session, collection, current["_id"], audit.MAX_DEPENDENTS)
            if cascade and actor
            else {}
        )
        gone = documents.delete(session, collection, current, cascade=cascade)
        if actor is not None:
            audit.record_deletion(actor, collection, current, gone, dependents, session=session)
        return True, credits

    deleted, credits = in_transaction(work)
    derived.note("credits", *credits)
    return deleted


def _credits_of(session: ClientSession, collection: str, row: Row) -> list[Row]:
    """{person_id, name} of a film's credits, which are deleted with it."""
    if get_model(collection) is not Movie:
        return []
    found = get_collection("credits").find({"movie_id": row["_id"]}, {"person_id": 1, "name": 1}, session=session)
    return list(found)


def delete_documents(
    collection: str, document_ids: Iterable[str], *, cascade: bool = False, actor: Actor | None = None
) -> int:
    """Delete several documents, at most MAX_LIMIT; returns how many existed. As `delete_document`."""
    ids = list(document_ids)
    if len(ids) > MAX_LIMIT:
        raise BadQuery(f"at most {MAX_LIMIT} at a time")
    return sum(delete_document(collection, document_id, cascade=cascade, actor=actor) for document_id in ids)


def _check_writable(collection: str) -> None:
    get_model(collection)
    if collection in _READ_ONLY:
        raise BadQuery(f"{collection} are written through app.db.accounts")


def _visible(collection: str) -> dict[str, int] | None:
    return dict.fromkeys(get_model(collection).private, 0) or None


def _conditions(filter_by: Mapping[str, Any], filter_op: Mapping[str, str]) -> list[Condition]:
    return [Condition(field, filter_op.get(field, "eq"), value) for field, value in filter_by.items()]
