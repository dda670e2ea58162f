"""Restoring a backup: loaded into collections that hold nothing, then compared with the manifest.

Nothing that exists is ever replaced. Interrupted anywhere, it can be run again: until all is there, a marker says of
which backup the collections are being made.
"""

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime

from bson.raw_bson import RawBSONDocument

from app.db.backups import changes, shapes
from app.db.backups.checksums import Sum
from app.db.backups.errors import RestoreFailed
from app.db.backups.keys import PrivateKeys
from app.db.backups.manifest import Entry, Manifest
from app.db.backups.restoring import applying, marker
from app.db.backups.stored import LATEST, find, read_documents
from app.db.backups.stores import Store
from app.db.core import Row, driver_errors, get_database, insert_missing, raw_batches, time_limit

WORKERS = 4
Moment = datetime | str | None
# Of one insert.
MAX_DOCUMENTS, MAX_BYTES = 1000, 4 * 2**20
INDEX_TIMEOUT_S = 6 * 3600.0


def moment(text: str) -> datetime | str:
    """A second in UTC, unless the text has another time zone; or `changes.END`. Raises RestoreFailed."""
    if text == changes.END:
        return changes.END
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise RestoreFailed(f"{text!r:.40} is no time, such as 2026-11-29T12:34:56Z, nor {changes.END!r}") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)


@driver_errors()
def choose(store: Store, backup: str, prefix: str = "", at: Moment = None, *, new_library: bool = False) -> Manifest:
    """A backup's manifest by id; `latest` is the newest complete one's, of before `at` if that is given.

    For a new library, `latest` is the one whose restore is under way: newer ones may be of the empty library. Otherwise
    raises RestoreFailed when another one's restore is under way; Damaged, BackupError; DatabaseError.
    """
    under_way = marker.read(prefix) if backup == LATEST else None
    if under_way is not None and under_way.new_library and new_library:
        return find(store, under_way.backup)
    found = find(store, backup, at if isinstance(at, datetime) else None)
    if under_way is not None and under_way.backup != found.id and under_way.step != marker.SWAPPED:
        raise RestoreFailed(
            f"a restore of {under_way.backup} is unfinished, and the latest backup is {found.id}: complete the "
            "first one by its id, or " + marker.give_up(prefix)
        )
    return found


@driver_errors()
def restore(
    store: Store,
    backup: str,
    keys: PrivateKeys,
    *,
    prefix: str = "",
    only: Collection[str] | None = None,
    at: Moment = None,
    new_library: bool = False,
    workers: int = WORKERS,
    done: Callable[[Entry], None] = lambda _: None,
    loaded: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Restore a backup, or `latest`, into the configured database; returns the manifest of what was restored.

    `prefix` is `shapes.RESTORED` for collections beside the live ones; otherwise the database may have empty
    collections, but no documents. `only` are the collections to restore. `at` is the second (UTC) to restore, with all
    of its changes, or `changes.END` for all that are archived; otherwise it is the backup's own moment. `new_library`
    refuses one that has films or accounts, which nobody has asked about. `done` is called with each collection, and
    `loaded` with the number of documents of each insert, in any thread.

    Raises RestoreFailed when there are documents already, and when all isn't as the manifest says afterwards; WrongKey,
    Damaged, BackupError; DatabaseError.
    """
    found = _selected(choose(store, backup, prefix, at, new_library=new_library), only)
    changed = None if at is None else changes.cover(store, found, keys, at)
    names = [entry.name for entry in found.collections]
    if new_library:
        _refuse_library(prefix)
    wanted_marker = marker.Marker(found.id, at, marker.LOADING, names, whole=only is None, new_library=new_library)
    there = marker.claim(prefix, wanted_marker)
    if there.step in (marker.LOADED, marker.SWAPPING, marker.SWAPPED):
        return found
    wanted = {entry.name: entry.shape for entry in found.collections}
    largest_first = sorted(found.collections, key=lambda entry: -entry.bytes)

    def load(entry: Entry) -> None:
        _load(_Load(prefix + entry.name, loaded), store, found, entry, keys)
        done(entry)

    def complete(entry: Entry) -> None:
        with time_limit(INDEX_TIMEOUT_S):
            shapes.complete(prefix + entry.name, entry.shape)

    if there.step == marker.LOADING:
        shapes.create(wanted, prefix)
        _on_each(load, largest_first, workers)
    if changed is not None:
        applying.apply(changed, prefix, only)
    _on_each(complete, largest_first, workers)
    if wrong := shapes.differences(wanted, prefix):
        raise RestoreFailed(f"all documents are there, but these are otherwise than in the backup: {', '.join(wrong)}")
    if prefix:
        marker.advance(prefix, marker.LOADED)
    else:
        marker.remove(prefix)
    return found


def _refuse_library(prefix: str) -> None:
    """Raises RestoreFailed when there are films or accounts, unless such a restore is being put in place."""
    there = marker.read(prefix)
    if there is not None and there.new_library and there.step in (marker.SWAPPING, marker.SWAPPED):
        return
    for name in ("movies", "users"):
        if get_database()[name].find_one({}, {"_id": 1}) is not None:
            raise RestoreFailed(
                f"the library isn't new: there are {name} already, which this would replace "
                "(if they are the restored ones, all is done: go on without RESTORE)"
            )


def _selected(found: Manifest, only: Collection[str] | None) -> Manifest:
    """Raises RestoreFailed when the backup has no such collection."""
    if only is None:
        return found
    if missing := set(only) - {entry.name for entry in found.collections}:
        raise RestoreFailed(f"{found.id} has no collection {', '.join(sorted(missing))}")
    return replace(found, collections=[entry for entry in found.collections if entry.name in only])


def _on_each(work: Callable[[Entry], None], entries: list[Entry], workers: int) -> None:
    """Several at a time, until one fails; raises its error."""
    with ThreadPoolExecutor(workers) as pool:
        parts = [pool.submit(work, entry) for entry in entries]
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
    for part in parts:
        if not part.cancelled():
            part.result()


def _load(load: "_Load", store: Store, found: Manifest, entry: Entry, keys: PrivateKeys) -> None:
    """Load a collection unless it is there, and compare it. Raises RestoreFailed and others."""
    if _is_there(load.name, entry):
        return
    read_documents(store, found, entry, keys, load.add)
    load.flush()
    if not _is_there(load.name, entry):
        raise RestoreFailed(f"{get_database().name}.{load.name} holds other documents than the backup")


def _is_there(name: str, entry: Entry) -> bool:
    there = Sum()
    for batch in raw_batches(name):
        there.add_all(batch)
    return (there.documents, there.size, there.checksum) == (entry.documents, entry.bytes, entry.checksum)


class _Load:
    """Inserts documents in batches. Those that an earlier attempt has inserted are skipped."""

    def __init__(self, name: str, loaded: Callable[[int], None]) -> None:
        self.name, self._loaded = name, loaded
        self._batch: list[Row] = []
        self._size = 0

    def add(self, document: memoryview) -> None:
        self._batch.append(RawBSONDocument(bytes(document)))  # type: ignore[arg-type]  # a mapping that PyMongo encodes
        self._size += len(document)
        if len(self._batch) >= MAX_DOCUMENTS or self._size >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        insert_missing(self.name, self._batch)
        self._loaded(len(self._batch))
        self._batch, self._size = [], 0
