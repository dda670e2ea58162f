"""Who did what to which record, and when.

Two collections. `audit_log` has an entry for every action, with the fields that it changed; a bulk job is one entry.
`audit_changes` has what a bulk job did to each document, in enough detail to undo it (see `app.db.jobs`).
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import IndexModel
from pymongo.client_session import ClientSession

from app.db.core.connection import Row, driver_errors, get_collection
from app.db.core.cursors import Order
from app.db.core.listing import Page, fetch_page
from app.db.core.models import fields_of, get_model, now

LOG, CHANGES = "audit_log", "audit_changes"
KEEP_LOG = timedelta(days=400)  # 13 months, to compare with a year ago
KEEP_CHANGES = timedelta(days=30)
MAX_DEPENDENTS = 200  # entries that a deletion writes for dependents; each is a write in its transaction

INDEXES: dict[str, list[IndexModel]] = {
    LOG: [
        IndexModel("at", expireAfterSeconds=int(KEEP_LOG.total_seconds())),
        IndexModel([("at", 1), ("_id", 1)]),
        IndexModel([("username", 1), ("at", 1), ("_id", 1)]),
        IndexModel([("collection", 1), ("document_id", 1), ("at", 1), ("_id", 1)]),
    ],
    CHANGES: [
        IndexModel("at", expireAfterSeconds=int(KEEP_CHANGES.total_seconds())),
        IndexModel([("job", 1), ("n", 1)], unique=True),
        IndexModel([("collection", 1), ("document_id", 1), ("at", 1), ("_id", 1)]),
    ],
}


@dataclass(frozen=True)
class Actor:
    """The administrator on whose behalf something is written."""

    user_id: str
    username: str


def record(  # noqa: PLR0917 -- who did what to which record, and the result: natural in this order
    actor: Actor,
    action: str,
    collection: str,
    document_id: Any,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    *,
    session: ClientSession | None = None,
    **details: Any,
) -> None:
    """Write an entry; in the transaction of `session`, if any, so that action and entry succeed or fail together.

    `action` is "create", "edit", "delete", "import", "bulk edit", "bulk delete", "undo", "role" or similar. `before`
    and `after` are complete documents, or None; only the fields that differ are kept, never derived or private ones.
    `details` are further fields of the entry, such as `job` and `count`. Unchanged edits without details aren't logged.
    """
    old, new = difference(collection, before, after)
    if before is not None and after is not None and not (old or new or details):
        return
    entry = {
        "at": now(),
        "user_id": actor.user_id,
        "username": actor.username,
        "action": action,
        "collection": collection,
        "document_id": None if document_id is None else str(document_id),
        "before": old,
        "after": new,
    }
    # In a transaction the driver must see its own errors, to know whether to retry.
    with driver_errors() if session is None else nullcontext():
        get_collection(LOG).insert_one({**details, **entry}, session=session)


def record_deletion(
    actor: Actor,
    collection: str,
    row: Row,
    gone: Mapping[str, int],
    dependents: Mapping[str, Sequence[Row]],
    *,
    session: ClientSession,
) -> None:
    """Write an entry for a deleted document, with the number of its deleted dependents by collection (`gone`).

    Each of the `dependents` gets its own entry, which names the document in `with_collection` and `with_document`;
    with more than MAX_DEPENDENTS only the numbers are written, and `dependents` needn't be complete.
    """
    cause = {"with_collection": collection, "with_document": str(row["_id"])}
    if sum(gone.values()) <= MAX_DEPENDENTS:
        for other, rows in dependents.items():
            for taken in rows:
                record(actor, "delete", other, taken["_id"], taken, None, session=session, **cause)
    record(actor, "delete", collection, row["_id"], row, None, session=session, along=dict(gone))


def difference(collection: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Row, Row]:
    """The own fields in which two documents differ: as they were, and as they are. Missing fields are left out."""
    model = get_model(collection)
    own = [field for field in fields_of(model) if field not in model.derived and field not in model.private]
    old, new = before or {}, after or {}
    differing = [field for field in own if (field in old, old.get(field)) != (field in new, new.get(field))]
    return {field: old[field] for field in differing if field in old}, {
        field: new[field] for field in differing if field in new
    }


@driver_errors()
def list_page(
    *,
    username: str | None = None,
    action: str | None = None,
    collection: str | None = None,
    document_id: str | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page:
    """Entries that match all values given, latest first. Raises BadQuery for an invalid cursor."""
    wanted = {"username": username, "action": action, "collection": collection, "document_id": document_id}
    query: Row = {field: {"$eq": str(value)} for field, value in wanted.items() if value is not None}
    return fetch_page(LOG, query, Order("at", descending=True), after=after, before=before, limit=limit)


@driver_errors()
def changes_page(
    *,
    job: str | None = None,
    collection: str | None = None,
    document_id: str | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page:
    """What bulk jobs did: to the documents of one job in order, or to one document, latest first.

    Rows like those of the log, {document_id, collection, job, at, before, after, deleted, undone}, without private
    fields. Raises BadQuery for an invalid cursor.
    """
    wanted = {"job": job, "collection": collection, "document_id": document_id}
    query: Row = {field: {"$eq": str(value)} for field, value in wanted.items() if value is not None}
    order = Order("n") if job is not None else Order("at", descending=True)
    page = fetch_page(CHANGES, query, order, after=after, before=before, limit=limit, projection={"key": 0})
    for row in page.rows:
        row["before"], row["after"] = difference(row["collection"], row["before"], row["after"])
    return page
