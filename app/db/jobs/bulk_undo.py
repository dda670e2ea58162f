"""Undoing a bulk edit or deletion: restores every record that is still as the job left it."""

from typing import Any

from pymongo.client_session import ClientSession

from app.db.core import (
    COLLECTIONS,
    Movie,
    Row,
    ValidationFailed,
    audit,
    driver_errors,
    get_collection,
    get_model,
    version,
)
from app.db.films import claims, posters
from app.db.jobs import bulk_steps
from app.db.jobs.bulk_edit import Change, apply
from app.db.jobs.bulk_steps import Item, Outcome, Steps
from app.db.jobs.queue import Lease
from app.db.records import REFERENCES
from app.db.search import derived


def undo(job: Row, lease: Lease) -> Steps:
    """Undo what the job `job["undoes"]` did, last change first, except for records changed since."""

    @driver_errors()
    def following(job: Row) -> list[Item]:
        query: Row = {"job": job["undoes"], "undone": None}
        if "cursor" in job:
            query["n"] = {"$lt": job["cursor"]}
        found = get_collection(audit.CHANGES).find(query).sort("n", -1).limit(bulk_steps.BATCH)
        return [(change["n"], change) for change in found]

    def step(session: ClientSession, changes: list[Any]) -> Outcome:
        outcome, taken_back = Outcome(), []
        for collection in COLLECTIONS:  # in this order films are restored before their credits
            own = [change for change in changes if change["collection"] == collection]
            if own:
                taken_back += _take_back(session, collection, own, outcome)
        numbers = [change["n"] for change in taken_back]
        get_collection(audit.CHANGES).update_many(
            {"job": job["undoes"], "n": {"$in": numbers}}, {"$set": {"undone": True}}, session=session
        )
        outcome.changed = len(numbers)
        return outcome

    yield from bulk_steps.steps(job, lease, step, following)


def _take_back(session: ClientSession, collection: str, changes: list[Row], outcome: Outcome) -> list[Row]:
    """Restore one collection's records; returns the changes undone, and records the others as errors."""
    keys = [change["key"] for change in changes]
    present = {row["_id"]: row for row in get_collection(collection).find({"_id": {"$in": keys}}, session=session)}
    pairs, deleted, taken_back = [], [], []
    for change in changes:
        current = present.get(change["key"])
        if change["deleted"]:
            if current is None:
                deleted.append(change)
            else:
                outcome.fail(collection, change["key"], "exists again")
        elif current is None:
            outcome.fail(collection, change["key"], "has been deleted since")
        elif version(current) != change["version"]:
            outcome.fail(collection, change["key"], "has been changed since")
        else:
            try:
                pairs.append((current, apply(collection, current, _reversed(change))))
            except ValidationFailed as error:
                outcome.fail(collection, change["key"], str(error))
            else:
                taken_back.append(change)
    bulk_steps.write(session, collection, pairs)
    outcome.note(collection, derived.differing(collection, pairs))
    returning = _returnable(session, collection, deleted, outcome)
    if returning:
        rows = [change["before"] for change in returning]
        if get_model(collection) is Movie:
            rows = posters.bring_back(rows, session)
        get_collection(collection).insert_many(rows, ordered=False, session=session)
        bulk_steps.rank(session, collection, rows)
        outcome.note(collection, rows)
    return taken_back + returning


def _reversed(change: Row) -> list[Change]:
    """The changes that restore a record's fields."""
    before = change["before"]
    return [
        Change(name, "set", before[name]) if name in before else Change(name, "unset")
        for name in before | change["after"]
    ]


def _returnable(session: ClientSession, collection: str, changes: list[Row], outcome: Outcome) -> list[Row]:
    """The deletions whose record can be restored: its id is free, and what it refers to exists."""
    reasons: dict[int, str] = {}
    for parent, fields in REFERENCES.items():
        if key := fields.get(collection):
            wanted = list({change["before"][key] for change in changes})
            found = get_collection(parent).find({"_id": {"$in": wanted}}, {"_id": 1}, session=session)
            there = {row["_id"] for row in found}
            if parent == "movies":
                claims.hold_all(list(there), session)
            for change in changes:
                if change["before"][key] not in there:
                    reasons[change["n"]] = f"{key}: {change['before'][key]} no longer exists"
    if get_model(collection) is Movie and changes:
        taken = claims.take_all({change["key"]: change["before"]["title_hash"] for change in changes}, session)
        reasons |= {change["n"]: "its id belongs to another film now" for change in changes if change["key"] in taken}
    for change in changes:
        if change["n"] in reasons:
            outcome.fail(collection, change["key"], reasons[change["n"]])
    return [change for change in changes if change["n"] not in reasons]
