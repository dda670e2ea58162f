"""Helpers for tests of bulk jobs: starting and running a job, and reading its results."""

from collections.abc import Callable
from typing import Any

from app.db import operations
from app.db.core import Actor, Row
from app.db.jobs import Change, Selection, bulk_edit, queue, runner

ADA = Actor("u1", "ada")
ALL = Selection()
Films = Callable[..., None]


def run(kind: str, selection: Selection, *changes: Change, collection: str = "movies") -> Row:
    """Start and run a job, and return it afterwards."""
    job_id = bulk_edit.start(kind, collection, selection, ADA, changes)
    while runner.run_next():
        pass
    return queue.get(job_id)


def undone(job: Row) -> Row:
    undo_id = queue.undo(job["_id"], ADA)
    while runner.run_next():
        pass
    return queue.get(undo_id)


def films(field: str) -> dict[str, Any]:
    return {row["_id"]: row.get(field) for row in operations.list_documents("movies", limit=100)}


def whole(database: Any, *collections: str) -> dict[str, list[Row]]:
    """All that is in the collections, but for when an id was claimed and by whom it was held."""
    unseen = {"at": 0, "held": 0}
    return {name: list(database[name].find({}, unseen).sort("_id", 1)) for name in collections}
