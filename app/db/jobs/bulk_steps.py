"""Bulk edits and deletions, step by step; `bulk_undo` undoes them.

Each step is one transaction: it reads its records, writes them, records what it did in `audit_changes`, and moves the
job's cursor. So a step happens completely or not at all, and only once (see `queue`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo import UpdateOne
from pymongo.client_session import ClientSession
from pymongo.errors import BulkWriteError

from app.db.core import (
    DOCUMENT_VALIDATION_FAILURE,
    DUPLICATE_KEY,
    Condition,
    Duplicate,
    Movie,
    NotFound,
    Row,
    ValidationFailed,
    audit,
    driver_errors,
    get_collection,
    get_model,
    in_transaction,
    now,
    version,
)
from app.db.films import claims, posters, ranking
from app.db.jobs import queue
from app.db.jobs.bulk_edit import Change, Selection, apply
from app.db.jobs.queue import Lease
from app.db.records import REFERENCES, documents
from app.db.search import derived

# Records per step: 0.2 to 0.5 s on two busy cores, so that a cancel takes effect soon and a conflict repeats little.
BATCH = 500
MAX_DEPENDENTS = 2_000  # deleted in one step; a film may have any number of likes
REFUSED = (Duplicate, NotFound, ValidationFailed)  # caused by a single record
Steps = Iterator[Row]  # the job after each step


@dataclass
class Outcome:
    """What a step did. Unless `finished`, there is more to do for the same records."""

    changes: list[Row] = field(default_factory=list)
    errors: list[Row] = field(default_factory=list)
    noted: dict[str, list[Row]] = field(default_factory=dict)  # collection -> rows for `derived.note`
    changed: int = 0
    finished: bool = True

    def fail(self, collection: str, document_id: Any, reason: str) -> None:
        """Record that a document stays unchanged, and why."""
        self.errors.append({"collection": collection, "document_id": str(document_id), "reason": reason})

    def note(self, collection: str, rows: Sequence[Row]) -> None:
        """Pass records before and after to `derived` once the step is committed."""
        self.noted.setdefault(collection, []).extend(rows)


Item = tuple[Any, Any]
"""A value for the job's cursor, and the item to process there."""
Step = Callable[[ClientSession, list[Any]], Outcome]


def edit(job: Row, lease: Lease) -> Steps:
    """Apply `job["changes"]` to the selected records."""
    collection, changes = job["collection"], [Change(**change) for change in job["changes"]]

    def step(session: ClientSession, ids: list[Any]) -> Outcome:
        outcome, pairs = Outcome(), []
        for row in _selected(job, ids, session):
            try:
                after = apply(collection, row, changes)
            except ValidationFailed as error:
                outcome.fail(collection, row["_id"], str(error))
                continue
            if after != row:
                pairs.append((row, after))
                outcome.changes.append(_edited(collection, row, after))
        write(session, collection, pairs)
        outcome.note(collection, derived.differing(collection, pairs))
        outcome.changed = len(pairs)
        return outcome

    yield from steps(job, lease, step, _ids_after(job))


def delete(job: Row, lease: Lease) -> Steps:
    """Delete the selected records with their dependents; at most `job["limit"]`, the confirmed number."""
    collection = job["collection"]

    def step(session: ClientSession, ids: list[Any]) -> Outcome:
        outcome, rows = Outcome(), list(_selected(job, ids, session))
        gone = [row["_id"] for row in rows]
        room = MAX_DEPENDENTS
        for other, key in REFERENCES.get(collection, {}).items():
            found = list(get_collection(other).find({key: {"$in": gone}}, session=session).limit(room)) if room else []
            room -= len(found)
            outcome.changes += _delete(session, other, found)
            outcome.note(other, found)
        if room == 0:
            return Outcome(outcome.changes, finished=False)
        outcome.changes += _delete(session, collection, rows)
        if collection == "credits":
            outcome.note(collection, rows)
        outcome.changed = len(rows)
        return outcome

    yield from steps(job, lease, step, _ids_after(job))


# -- the loop, shared with undo


def steps(job: Row, lease: Lease, step: Step, following: Callable[[Row], list[Item]]) -> Steps:
    """Process the items `following` the job's cursor in batches; those of a refused batch one at a time."""
    while items := following(job):
        try:
            job = _commit(job, lease, step, items)
        except REFUSED:
            for item in items:
                job = _alone(job, lease, step, item)
                yield job
                if job["cancel"]:
                    return
        else:
            yield job


def _alone(job: Row, lease: Lease, step: Step, item: Item) -> Row:
    """Process one record in its own transaction, so that a refusal affects only this record."""
    finished = False
    while not finished:
        before = job.get("cursor")
        try:
            job = _commit(job, lease, step, [item])
        except REFUSED as error:
            about = item[1] if isinstance(item[1], dict) else {"collection": job["collection"], "key": item[1]}
            outcome = Outcome()
            reason = "another record like this exists" if isinstance(error, Duplicate) else str(error)
            outcome.fail(about["collection"], about["key"], reason)
            with driver_errors():
                return _advance(job, lease, outcome, [item])
        finished = job.get("cursor") != before
    return job


@driver_errors()
def _commit(job: Row, lease: Lease, step: Step, items: list[Item]) -> Row:
    """One step. Raises Duplicate or ValidationFailed when the database refuses one of the records, JobStopped."""

    def work(session: ClientSession) -> tuple[Row, Outcome]:
        with _refusals():
            outcome = step(session, [content for _, content in items])
        numbered = [
            {**change, "job": job["_id"], "n": number} for number, change in enumerate(outcome.changes, _n(job))
        ]
        if numbered and job["kind"] != "undo":
            get_collection(audit.CHANGES).insert_many(numbered, ordered=False, session=session)
        return _advance(job, lease, outcome, items, session), outcome

    job, outcome = in_transaction(work)
    for collection, rows in outcome.noted.items():
        derived.note(collection, *rows)
    return job


def _n(job: Row) -> int:
    """The number of the job's next change."""
    return int(job.get("n", 0))


def _advance(job: Row, lease: Lease, outcome: Outcome, items: list[Item], session: ClientSession | None = None) -> Row:
    values: Row = {"attempts": 0}
    if outcome.finished:
        values["cursor"] = items[-1][0]
    counts = {
        "n": len(outcome.changes),
        "done": len(items) if outcome.finished else 0,
        "changed": outcome.changed,
        "failed": len(outcome.errors),
    }
    return queue.advance(lease, session, values=values, counts=counts, errors=outcome.errors)


@contextmanager
def _refusals() -> Iterator[None]:
    """Translate a batch's errors as `driver_errors` does for a single write."""
    try:
        yield
    except BulkWriteError as error:
        codes = {problem["code"] for problem in error.details["writeErrors"]}
        if DUPLICATE_KEY in codes:
            raise Duplicate("another record like this exists") from error
        if DOCUMENT_VALIDATION_FAILURE in codes:
            raise ValidationFailed({"document": "refused by the collection's validator"}) from error
        raise


# -- reading and writing records


def selection(job: Row) -> Selection:
    """The records that a job is about."""
    return Selection(tuple(job["ids"]), tuple(Condition(**condition) for condition in job["conditions"]))


def _ids_after(job: Row) -> Callable[[Row], list[Item]]:
    query = selection(job).query(job["collection"])

    @driver_errors()
    def following(job: Row) -> list[Item]:
        room = BATCH if job.get("limit") is None else min(BATCH, job["limit"] - job["done"])
        if room <= 0:
            return []
        conditions = [query, {"_id": {"$gt": job["cursor"]}}] if "cursor" in job else [query]
        found = get_collection(job["collection"]).find({"$and": conditions}, {"_id": 1}).sort("_id", 1).limit(room)
        return [(row["_id"], row["_id"]) for row in found]

    return following


def _selected(job: Row, ids: list[Any], session: ClientSession) -> Iterator[Row]:
    """The records that still exist and meet the conditions, as the transaction sees them."""
    query = {"$and": [{"_id": {"$in": ids}}, selection(job).query(job["collection"])]}
    return iter(get_collection(job["collection"]).find(query, session=session).sort("_id", 1))


def write(session: ClientSession, collection: str, pairs: Sequence[tuple[Row, Row]]) -> None:
    """Change each first document, as the transaction sees it, into the second one with the same `_id`."""
    moves, updates = [], []
    for before, after in pairs:
        if get_model(collection) is Movie and before["title_hash"] != after["title_hash"]:
            moves.append(after)
        else:
            updates.append(UpdateOne(documents.address(collection, before), _update(before, after)))
    if moves:
        _move(session, moves)
    if updates:
        get_collection(collection).bulk_write(updates, ordered=False, session=session)
    rated = {name for source in ranking.SOURCES.values() for name in source}
    rank(session, collection, [new for old, new in pairs if any(old.get(name) != new.get(name) for name in rated)])


def _move(session: ClientSession, films: Sequence[Row]) -> None:
    """As `documents.move_film`, for several films with new titles."""
    ids = [film["_id"] for film in films]
    if get_collection("movies").delete_many({"_id": {"$in": ids}}, session=session).deleted_count != len(films):
        raise NotFound("a film has been changed or deleted in the meantime")
    get_collection("movies").insert_many(films, ordered=False, session=session)
    claims.move_all({film["_id"]: film["title_hash"] for film in films}, session)


def _update(before: Row, after: Row) -> Row:
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    removed = dict.fromkeys((name for name in before if name not in after), "")
    return {operator: fields for operator, fields in (("$set", changed), ("$unset", removed)) if fields}


def rank(session: ClientSession, collection: str, rows: Sequence[Row]) -> None:
    """Score the films that were written."""
    if get_model(collection) is Movie and rows:
        ranking.rank_all([row["_id"] for row in rows], session)


def _delete(session: ClientSession, collection: str, rows: Sequence[Row]) -> list[Row]:
    if rows:
        ids = [row["_id"] for row in rows]
        get_collection(collection).delete_many({"_id": {"$in": ids}}, session=session)
        if get_model(collection) is Movie:
            claims.release_all(ids, session)
            posters.retire_all(rows, session)
    return [_change(collection, row, before=row, after={}, deleted=True) for row in rows]


def _edited(collection: str, row: Row, after: Row) -> Row:
    old, new = audit.difference(collection, row, after)
    return _change(collection, row, before=old, after=new, deleted=False, version=version(after))


def _change(collection: str, row: Row, **content: Any) -> Row:
    return {"at": now(), "collection": collection, "key": row["_id"], "document_id": str(row["_id"]), **content}
