"""The lock of whoever changes a running cluster, in the database admin: apps' users have no rights there.

`connection` is a logged-in client of a router. Functions raise PyMongoError.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.mongodb_client import Document, MongoClient, PyMongoError, code_of

DATABASE, COLLECTION, ID = "admin", "cluster_change_lock", "change"

DUPLICATE_KEY = 11000


@dataclass(frozen=True)
class Lock:
    """Who changes the cluster: `verb` is what is done, `holder` says user, machine and directory.

    `balancer_stopped` is whether the holder has stopped the balancer, which ran before.
    """

    verb: str
    holder: str
    since: datetime
    balancer_stopped: bool = False

    def __str__(self) -> str:
        return f"{self.verb} by {self.holder} since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def document(self) -> Document:
        return {"_id": ID, **vars(self)}


def now() -> datetime:
    """The time in UTC with milliseconds and without a time zone, as MongoDB returns it."""
    found = datetime.now(timezone.utc).replace(tzinfo=None)  # noqa: UP017 - hosts may have Python 3.10
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


def refusal(found: Lock | None, holder: str, at: datetime, stale_after: timedelta, *, force: bool) -> str | None:
    """Why `holder` may not take the lock that was `found`. None if it may.

    A lock of the same holder is that of its dead run: runs in one directory exclude each other.
    """
    if found is None or found.holder == holder or force or at - found.since >= stale_after:
        return None
    hours = stale_after / timedelta(hours=1)
    return (
        f"another change of this cluster is under way: {found}. If that run is dead, continue it there, wait until its "
        f"lock is {hours:g} hours old, or use FORCE=1"
    )


def read(connection: MongoClient[Document]) -> Lock | None:
    """The present lock."""
    found: Any = _collection(connection).find_one({"_id": ID})
    return found and Lock(found["verb"], found["holder"], found["since"], found["balancer_stopped"])


def take(connection: MongoClient[Document], lock: Lock, instead_of: Lock | None) -> bool:
    """Writes the lock in the place of the one that was found. False if somebody else was faster."""
    if instead_of is not None:
        before = {"_id": ID, "holder": instead_of.holder, "since": instead_of.since}
        return bool(_collection(connection).replace_one(before, lock.document()).matched_count)
    try:
        _collection(connection).insert_one(lock.document())
    except PyMongoError as error:
        if code_of(error) != DUPLICATE_KEY:
            raise
        return False
    return True


def release(connection: MongoClient[Document], lock: Lock) -> None:
    """Removes exactly this lock."""
    _collection(connection).delete_one({"_id": ID, "holder": lock.holder, "since": lock.since})


def _collection(connection: MongoClient[Document]) -> Any:
    return connection[DATABASE][COLLECTION]  # by default a majority acknowledges writes
