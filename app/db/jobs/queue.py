"""Work that takes longer than a request: a queue in the database, which any worker process may serve.

A worker holds a job by a lease that it renews as it goes. Whatever a step of the work writes, it writes together with
the job's cursor in one transaction, and only as long as the job is its own (`advance`): a worker that died leaves
a job that the next one goes on with, one that was merely slow finds out before it writes anything twice.
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
# What a kind of job is called in the audit log.
KINDS = {"edit": "bulk edit", "delete": "bulk delete", "undo": "undo", "import": "import"}
UNDOABLE = ("edit", "delete")
QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN, ENDED = (QUEUED, RUNNING), (DONE, FAILED, CANCELLED)

LEASE = timedelta(seconds=60)  # a step takes a second, and half a minute through an election
UNDO_WITHIN = timedelta(hours=24)
MAX_ERRORS = 100  # kept of each job; the others are counted
MAX_ATTEMPTS = 5  # times that a job is taken on without getting a step further


@dataclass(frozen=True)
class Lease:
    """A worker's hold on a job. `owner` is new with every `take`."""

    job_id: str
    owner: str

    def holds(self) -> Row:
        """The query that finds the job as long as it is this worker's."""
        return {"_id": self.job_id, "owner": self.owner, "state": RUNNING}


def create(
    kind: str, collection: str, actor: Actor, *, total: int | None, session: ClientSession | None = None, **task: Any
) -> str:
    """Queue a job and return its id. `total` is how much is to do (records, or bytes), `task` what the kind needs.

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
    """The names of those who asked for the jobs, by the jobs' ids; of those that still are there."""
    query = {"_id": {"$in": sorted({str(job_id) for job_id in job_ids})}}
    return {job["_id"]: job["username"] for job in get_collection(JOBS).find(query, {"username": 1})}


@driver_errors()
def list_page(*, after: str | None = None, before: str | None = None, limit: int = 50) -> Page:
    """Jobs, the latest first. Raises BadQuery for a cursor that isn't one."""
    order = Order("created_at", descending=True)
    return fetch_page(JOBS, {}, order, after=after, before=before, limit=limit, projection={"ids": 0, "errors": 0})


@driver_errors()
def cancel(job_id: str) -> None:
    """Ask a job to end after its present step; no error when it has ended. What it did stays, and can be undone."""
    get_collection(JOBS).update_one({"_id": str(job_id), "state": {"$in": OPEN}}, {"$set": {"cancel": True}})


# -- for workers


@driver_errors()
def take() -> tuple[Row, Lease] | None:
    """The oldest job that nobody works at, with the lease on it; None when there is none."""
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
    """Note progress and renew the lease; in the transaction of `session`, so that it stands with what was written.

    `values` are set, `counts` added. Returns the job as it is then. Raises JobStopped when it is held no more, and the
    driver's own errors, by which a transaction knows whether to begin again.
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
    """Hold the job on, without progress to note."""
    get_collection(JOBS).update_one(lease.holds(), {"$set": {"lease_until": now() + LEASE}})


@driver_errors()
def release(lease: Lease) -> None:
    """Give the job back, for any worker to go on with at once. Not an attempt that failed."""
    get_collection(JOBS).update_one(lease.holds(), {"$set": {"lease_until": now(), "attempts": 0}})


@driver_errors()
def finish(lease: Lease, state: str, reason: str | None = None) -> None:
    """End a job that is held, with an entry in the audit log. Raises JobStopped when it is held no more."""

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
                # It may be asked for again: what hindered it may go away, such as a later change that is undone, too.
                get_collection(JOBS).update_one({"_id": job["undoes"]}, {"$set": {"undo": None}}, session=session)

    in_transaction(work)


# -- undoing


def undo_problem(job: Row) -> str | None:
    """Why a job can't be undone (a sentence for people), or None when it can."""
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
    """Queue the undoing of a job and return the new job's id; may be asked for again as long as something is left.

    Raises NotFound; BadQuery with the reason when it can't be undone, also when somebody else was faster.
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
