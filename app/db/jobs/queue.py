"""A queue in the database for work that takes longer than a request; any worker process can serve it.

A worker holds a job by a lease that it renews. Each step writes its records and the job's cursor in one transaction,
and only while the worker holds the job (`advance`): another worker continues a dead worker's job, and a slow worker
notices before it writes anything twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.client_session import ClientSession

from app.db.core import (
    Actor,
    BadQuery,
    JobStopped,
    NotFound,
    Order,
    Page,
    Row,
    audit,
    driver_errors,
    fetch_page,
    get_collection,
    in_transaction,
    now,
)

JOBS = "jobs"
# The action in the audit log for each kind of job.
KINDS = {"edit": "bulk edit", "delete": "bulk delete", "undo": "undo", "import": "import"}
UNDOABLE = ("edit", "delete")
QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN, ENDED = (QUEUED, RUNNING), (DONE, FAILED, CANCELLED)

LEASE = timedelta(seconds=60)  # a step takes a second, and half a minute through an election
UNDO_WITHIN = timedelta(hours=24)
MAX_ERRORS = 100  # stored per job; further ones are only counted
MAX_ATTEMPTS = 5  # times that a job is taken without making progress


@dataclass(frozen=True)
class Lease:
    """A worker's hold on a job. `owner` is new with every `take`."""

    job_id: str
    owner: str

    def holds(self) -> Row:
        """The query for the job while this worker holds it."""
        return {"_id": self.job_id, "owner": self.owner, "state": RUNNING}


def create(
    kind: str, collection: str, actor: Actor, *, total: int | None, session: ClientSession | None = None, **task: Any
) -> str:
    """Queue a job and return its id. `total` is the amount of work (records or bytes), `task` what the kind of job
    needs.

    Raises BadQuery for an unknown kind.
    """
    if kind not in KINDS:
        raise BadQuery(f"no such kind of job: {kind!r:.80}")
    moment = now()
    job = {
        "_id": uuid4().hex,
        "kind": kind,
        "collection": collection,
        "user_id": actor.user_id,
        "username": actor.username,
        "state": QUEUED,
        "created_at": moment,
        "lease_until": moment,
        "attempts": 0,
        "cancel": False,
        "total": total,
        "done": 0,
        "changed": 0,
        "failed": 0,
        "errors": [],
    }
    with driver_errors() if session is None else nullcontext():  # as in audit.record
        get_collection(JOBS).insert_one({**task, **job}, session=session)
    return str(job["_id"])


@driver_errors()
def get(job_id: str) -> Row:
    """A job by its id. Raises NotFound."""
    job = get_collection(JOBS).find_one({"_id": str(job_id)})
    if job is None:
        raise NotFound(f"there is no job {job_id!r:.80}")
    return job


@driver_errors()
def makers(job_ids: Iterable[str]) -> dict[str, str]:
    """Job id -> the name of the user who requested it, for existing jobs."""
    query = {"_id": {"$in": sorted({str(job_id) for job_id in job_ids})}}
    return {job["_id"]: job["username"] for job in get_collection(JOBS).find(query, {"username": 1})}


@driver_errors()
def list_page(*, after: str | None = None, before: str | None = None, limit: int = 50) -> Page:
    """Jobs, latest first. Raises BadQuery for an invalid cursor."""
    order = Order("created_at", descending=True)
    return fetch_page(JOBS, {}, order, after=after, before=before, limit=limit, projection={"ids": 0, "errors": 0})


@driver_errors()
def cancel(job_id: str) -> None:
    """Cancel a job after its current step; no error if it has ended. What it did stays and can be undone."""
    get_collection(JOBS).update_one({"_id": str(job_id), "state": {"$in": OPEN}}, {"$set": {"cancel": True}})


# -- for workers


@driver_errors()
def take() -> tuple[Row, Lease] | None:
    """The oldest job that no worker holds, with a lease on it; None if there is none."""
    moment = now()
    owner = uuid4().hex
    job = get_collection(JOBS).find_one_and_update(
        {"state": {"$in": OPEN}, "lease_until": {"$lte": moment}},
        {
            "$set": {"state": RUNNING, "owner": owner, "lease_until": moment + LEASE},
            "$inc": {"attempts": 1},
        },
        sort=[("created_at", 1)],
        return_document=ReturnDocument.AFTER,
    )
    return None if job is None else (job, Lease(job["_id"], owner))


def advance(
    lease: Lease,
    session: ClientSession | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    counts: Mapping[str, int] | None = None,
    errors: Sequence[Row] = (),
) -> Row:
    """Record progress and renew the lease, in the transaction of `session` together with what was written.

    `values` are set, `counts` added. Returns the updated job. Raises JobStopped when this worker no longer holds it,
    and the driver's own errors, which a transaction needs for its retries.
    """
    update: Row = {"$set": {**(values or {}), "lease_until": now() + LEASE}}
    if counts:
        update["$inc"] = dict(counts)
    if errors:
        update["$push"] = {"errors": {"$each": list(errors), "$slice": MAX_ERRORS}}
    job = get_collection(JOBS).find_one_and_update(
        lease.holds(), update, return_document=ReturnDocument.AFTER, session=session
    )
    if job is None:
        raise JobStopped
    return job


@driver_errors()
def renew(lease: Lease) -> None:
    """Renew the lease without recording progress."""
    get_collection(JOBS).update_one(lease.holds(), {"$set": {"lease_until": now() + LEASE}})


@driver_errors()
def release(lease: Lease) -> None:
    """Release the job, so that any worker can continue at once. Doesn't count as a failed attempt."""
    get_collection(JOBS).update_one(lease.holds(), {"$set": {"lease_until": now(), "attempts": 0}})


@driver_errors()
def finish(lease: Lease, state: str, reason: str | None = None) -> None:
    """End a job with an entry in the audit log. Raises JobStopped when this worker no longer holds it."""

    def work(session: ClientSession) -> None:
        ended = {"state": state, "reason": reason, "finished_at": now(), "owner": None}
        job = get_collection(JOBS).find_one_and_update(
            lease.holds(), {"$set": ended}, return_document=ReturnDocument.AFTER, session=session
        )
        if job is None:
            raise JobStopped
        actor = Actor(job["user_id"], job["username"])
        details = {"job": job["_id"], "count": job["changed"], "state": state, "changes": job.get("changes", [])}
        audit.record(actor, KINDS[job["kind"]], job["collection"], None, None, None, session=session, **details)
        if job["kind"] == "undo":
            left = {"job": job["undoes"], "undone": None}
            if get_collection(audit.CHANGES).find_one(left, {"_id": 1}, session=session):
                # It can be requested again: what prevented it may go away, such as a later change.
                get_collection(JOBS).update_one({"_id": job["undoes"]}, {"$set": {"undo": None}}, session=session)

    in_transaction(work)


# -- undoing


def undo_problem(job: Row) -> str | None:
    """Why a job can't be undone, as a message, or None if it can."""
    if job["kind"] not in UNDOABLE:
        return "Only bulk edits and deletions can be undone."
    if job["state"] not in ENDED:
        return "It has not ended yet."
    if not job["changed"]:
        return "It changed nothing."
    if job.get("undo"):
        return "It has been undone already."
    if now() - job["finished_at"] > UNDO_WITHIN:
        return "More than 24 hours have passed."
    return None


@driver_errors()
def undo(job_id: str, actor: Actor) -> str:
    """Queue the undoing of a job and return the new job's id; can be requested again while something is left.

    Raises NotFound; BadQuery with the reason when it can't be undone, also if somebody else just did.
    """
    job = get(job_id)
    if problem := undo_problem(job):
        raise BadQuery(problem)
    left = get_collection(audit.CHANGES).count_documents({"job": job["_id"], "undone": None})
    made: list[str] = []

    def work(session: ClientSession) -> None:
        undo_id = create("undo", job["collection"], actor, total=left, session=session, undoes=job["_id"])
        claimed = get_collection(JOBS).update_one(
            {"_id": job["_id"], "undo": None}, {"$set": {"undo": undo_id}}, session=session
        )
        if not claimed.modified_count:
            raise BadQuery("It has been undone already.")
        made[:] = [undo_id]

    in_transaction(work)
    return made[0]
