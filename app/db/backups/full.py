"""A full backup: all collections of the library at one moment, read through the router.

The snapshot's cluster time is the same for all collections and all shards, so that films, credits, likes and claims
belong together, whatever is written meanwhile. Each collection is streamed to a file of its own.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bson import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from app.db.backups import files, ids, manifest, shapes
from app.db.backups.access import UNKNOWN, Access
from app.db.backups.checksums import Sum
from app.db.backups.errors import BackupError, BackupFailed
from app.db.backups.keys import PublicKeys
from app.db.backups.manifest import Entry, Manifest, Shape
from app.db.backups.restoring import marker
from app.db.backups.stored import load
from app.db.backups.stores import Store
from app.db.core import (
    driver_errors,
    get_database,
    now,
    raw_batches,
    run_command,
    snapshot_session,
    snapshot_time,
)

log = logging.getLogger(__name__)

WORKERS = 4
SMALL = 500  # documents in a batch of a backup that leaves time to others
# A collection is read again from its beginning after an election, at the same moment. Waits double from the first.
ATTEMPTS, FIRST_WAIT_S = 6, 1.0
# Attempts in which no collection is created or dropped while the snapshot is chosen.
CHOICES = 10
# A snapshot may be of a moment that is past already: an idle replica set notes the time only every 10 s.
IDLE_S = 2.0
NEVER = Timestamp(0, 0)
# An unfinished backup that is older than this failed, with one every hour.
FAILS = timedelta(hours=2)

_UNAUTHORIZED, _SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE = 13, 239, 246


class _Stopped(Exception):
    """Another collection has failed, or the backup is given up."""


@dataclass(frozen=True)
class Pace:
    """How fast a backup reads: `workers` collections at a time, each for a `share` of the time, above 0 and at most 1.

    Meanwhile the servers have time for others. With less than 1, documents are read in small batches.
    """

    workers: int = WORKERS
    share: float = 1.0

    def pause(self, busy: float) -> float:
        """Seconds to wait after so many of work."""
        return busy * (1 - self.share) / self.share


@driver_errors()
def take(
    store: Store,
    keys: PublicKeys,
    *,
    pace: Pace = Pace(),
    access: Access = UNKNOWN,
    done: Callable[[Entry], None] = lambda _: None,
    not_before: Timestamp = NEVER,
    lasting: bool = False,
    stop: threading.Event | None = None,
) -> Manifest:
    """Back up the database; `done` is called with each collection, in any thread. The manifest has `access`.

    Its moment is at least the cluster time `not_before`. A `lasting` one stays as long as the first of a day. Another
    thread may give it up by `stop`. Raises BackupFailed, after which nothing of the backup is left where it may be
    removed; DatabaseError.
    """
    started = now()
    mongodb, cluster = run_command("buildInfo")["version"], _cluster()
    at, found = _choose_moment(not_before)
    backup = _new_id(store, at.as_datetime(), lasting=lasting)
    try:
        entries = _copy_all(_Copy(store, keys, backup, at, done, stop or threading.Event(), pace), found)
        result = Manifest(
            id=backup,
            database=get_database().name,
            cluster_time=at,
            started=started,
            ended=now(),
            mongodb=mongodb,
            public_keys=[str(key) for key in keys],
            collections=sorted(entries, key=lambda entry: entry.name),
            cluster=cluster,
            access=access,
        )
        store.publish(backup, manifest.NAME, manifest.dump(result))
    except _Stopped as error:
        store.discard(backup)
        raise BackupFailed("the backup was stopped") from error
    except OSError as error:
        store.discard(backup)
        raise BackupFailed(f"the backup can't be written: {error.strerror or error}") from error
    except BaseException:
        store.discard(backup)
        raise
    return result


def _cluster() -> str:
    """The id that the config servers gave the cluster; empty without shards, or where it may not be read."""
    try:
        version = get_database().client["config"]["version"].find_one() or {}
    except OperationFailure as error:
        if error.code != _UNAUTHORIZED:
            raise
        return ""
    return str(version.get("clusterId", ""))


def _new_id(store: Store, at: datetime, *, lasting: bool) -> str:
    """An id that says how long it stays: the first of a day, or a `lasting` one, longer than the others.

    Not where backups have failed for hours: what they leave can't be removed everywhere, and would stay as long. When
    one is complete again, the next stays. Names alone don't count, nor what is of a moment to come: whoever planted
    that would leave days without a backup. Raises BackupFailed.
    """
    day = f"{at:%Y%m%d}T"
    try:
        names = [name for name in store.backups() if ids.is_id(name) and name.startswith(day)]
        today = sorted((name for name in names if ids.moment(name) <= at), key=ids.moment)
        complete = [name for name in today if _is_complete(store, name)]
    except OSError as error:
        raise BackupFailed(f"the backups can't be listed: {error.strerror or error}") from error
    failed = today[today.index(complete[-1]) + 1 :] if complete else today
    fails = bool(failed) and at - ids.moment(failed[0]) > FAILS
    return ids.new_id(at, hourly=fails or (not lasting and not all(map(ids.is_hourly, complete))))


def _is_complete(store: Store, backup: str) -> bool:
    try:
        load(store, backup)
    except BackupError:
        return False
    return True


def _choose_moment(not_before: Timestamp = NEVER) -> tuple[Timestamp, dict[str, Shape]]:
    """A snapshot's cluster time and the collections that there were then.

    Raises BackupFailed when there are none, or when they never stay the same for a moment.
    """
    for _ in range(CHOICES):
        before = shapes.read()
        if not before:
            raise BackupFailed(f"the database {get_database().name} has no collections")
        if manifest.UNFINISHED in before or marker.is_swapping():
            raise BackupFailed(f"a restore into the database {get_database().name} is unfinished: complete it first")
        with snapshot_session() as session:
            get_database()[min(before)].find_one({}, {"_id": 1}, session=session)
            at = snapshot_time(session)
        if at is None:
            raise BackupFailed("the router didn't say of which moment its answer is")
        if at < not_before:
            time.sleep(IDLE_S)  # nothing tells when the servers' time moves on
        elif shapes.read() == before:
            return at, {name: shape for name, (_, shape) in before.items()}
    raise BackupFailed("collections or indexes are being made or dropped (a deployment?); try again later")


def _copy_all(copy: "_Copy", found: dict[str, Shape]) -> list[Entry]:
    database = get_database()
    # The largest first, so that the others fit in beside them.
    names = sorted(found, key=lambda name: -database[name].estimated_document_count())
    with ThreadPoolExecutor(copy.pace.workers) as pool:
        copies = [pool.submit(copy.collection, name, found[name]) for name in names]
        try:
            wait(copies, return_when=FIRST_EXCEPTION)
        finally:
            copy.stop.set()
            pool.shutdown(cancel_futures=True)
    for failed in copies:
        if not failed.cancelled() and (error := failed.exception()) and not isinstance(error, _Stopped):
            raise error
    if copy.given_up.is_set():
        raise _Stopped
    return [finished.result() for finished in copies]


@dataclass(frozen=True)
class _Copy:
    """Copies collections, as they were at one moment."""

    store: Store
    keys: PublicKeys
    backup: str
    at: Timestamp
    done: Callable[[Entry], None]
    given_up: threading.Event
    pace: Pace
    began: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)

    def collection(self, name: str, shape: Shape) -> Entry:
        """Copy a collection, if need be several times. Raises BackupFailed, OSError, _Stopped."""
        pause = FIRST_WAIT_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                entry = self._once(name, shape)
            except PyMongoError as error:
                self._check(name, error, last=attempt == ATTEMPTS)
                log.warning("reading %s again: %s", name, error)
                if self.stop.wait(pause):
                    raise _Stopped from error
                pause *= 2
            else:
                self.done(entry)
                return entry
        raise AssertionError("unreachable")

    def _check(self, name: str, error: PyMongoError, *, last: bool) -> None:
        """Raises BackupFailed if there is no sense in reading once more."""
        code = getattr(error, "code", None)
        if code == _SNAPSHOT_TOO_OLD:
            raise BackupFailed(
                f"{name}: after {time.monotonic() - self.began:.0f} s the servers have dropped that moment's history. "
                "Set their parameter minSnapshotHistoryWindowInSeconds (default: 300) to more than a backup takes"
            ) from error
        if code == _UNAUTHORIZED or last:
            hint = " (was an index made, or the collection changed?)" if code == _SNAPSHOT_UNAVAILABLE else ""
            raise BackupFailed(f"{name} can't be read: {error}{hint}") from error

    def _once(self, name: str, shape: Shape) -> Entry:
        read = Sum()
        entry = Entry(name, 0, 0, "", 0, "", shape)
        with self.store.writer(self.backup, entry.file) as file, closing(self._batches(name, read)) as batches:
            written = files.write(batches, file, self.keys)
        return Entry(name, read.documents, read.size, read.checksum, written.size, written.sha256, shape)

    def _batches(self, name: str, read: Sum) -> Generator[bytes, None, None]:
        with snapshot_session(self.at) as session:
            busy_since = time.monotonic()
            for batch in raw_batches(name, session) if self.pace.share == 1 else raw_batches(name, session, SMALL):
                if self.stop.is_set() or self.given_up.is_set():
                    raise _Stopped
                read.add_all(batch)
                yield batch
                self.stop.wait(self.pace.pause(time.monotonic() - busy_since))
                busy_since = time.monotonic()
