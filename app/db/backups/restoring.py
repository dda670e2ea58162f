"""Restoring a backup into a database that holds nothing: loaded, then compared with the manifest.

Nothing that exists is ever replaced. Interrupted anywhere, it can be run again: until all is there, a document says of
which backup the database is being made.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from bson.raw_bson import RawBSONDocument
from pymongo.errors import DuplicateKeyError

from app.db.backups import shapes
from app.db.backups.checksums import Sum
from app.db.backups.errors import RestoreFailed
from app.db.backups.keys import PrivateKeys
from app.db.backups.manifest import UNFINISHED, Entry, Manifest
from app.db.backups.store import Store
from app.db.backups.stored import find, read_documents
from app.db.core import Row, driver_errors, get_collection, get_database, insert_missing, raw_batches, time_limit

WORKERS = 4
# Of one insert.
MAX_DOCUMENTS, MAX_BYTES = 1000, 4 * 2**20
_SYSTEM = ("admin", "config", "local")
INDEX_TIMEOUT_S = 6 * 3600.0


@driver_errors()
def restore(
    store: Store,
    backup: str,
    keys: PrivateKeys,
    *,
    workers: int = WORKERS,
    done: Callable[[Entry], None] = lambda _: None,
) -> Manifest:
    """Restore a backup, or `latest`, into the configured database; `done` is called with each collection.

    The database may have empty collections. Raises RestoreFailed when it holds documents, and when it isn't as the
    manifest says afterwards; WrongKey, Damaged, BackupError; DatabaseError.
    """
    found = find(store, backup)
    _claim(found)
    wanted = {entry.name: entry.shape for entry in found.collections}
    shapes.create(wanted)
    with ThreadPoolExecutor(workers) as pool:
        largest_first = sorted(found.collections, key=lambda entry: -entry.bytes)
        parts = [pool.submit(_collection, store, found, entry, keys, done) for entry in largest_first]
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
    _raise_first(parts)
    if wrong := shapes.differences(wanted):
        raise RestoreFailed(f"all documents are there, but these are otherwise than in the backup: {', '.join(wrong)}")
    get_collection(UNFINISHED).drop()
    return found


def _raise_first(parts: list[Future[None]]) -> None:
    for part in parts:
        if not part.cancelled():
            part.result()


def _claim(found: Manifest) -> None:
    """Note that the database is being made of this backup. Raises RestoreFailed when it holds anything else."""
    database = get_database()
    if database.name in _SYSTEM:
        raise RestoreFailed(f"the database {database.name} is MongoDB's own")
    under_way: Row | None = database[UNFINISHED].find_one()
    if under_way is None:
        for name in shapes.read():
            if database[name].find_one({}, {"_id": 1}) is not None:
                raise RestoreFailed(
                    f"the database {database.name} holds documents ({name}), and nothing is ever replaced: "
                    "restore into another one (--into)"
                )
        try:
            database[UNFINISHED].insert_one({"_id": "restore", "backup": found.id})
        except DuplicateKeyError as error:
            raise RestoreFailed(f"another restore into {database.name} began at the same time") from error
    elif under_way["backup"] != found.id:
        raise RestoreFailed(
            f"in the database {database.name} a restore of {under_way['backup']} is unfinished: complete that one, "
            "or restore into another database (--into)"
        )


def _collection(store: Store, found: Manifest, entry: Entry, keys: PrivateKeys, done: Callable[[Entry], None]) -> None:
    """Load a collection unless it is there, compare it, and make its indexes. Raises RestoreFailed and others."""
    if not _is_there(entry):
        load = _Load(entry.name)
        read_documents(store, found, entry, keys, load.add)
        load.flush()
        if not _is_there(entry):
            raise RestoreFailed(f"{get_database().name}.{entry.name} holds other documents than the backup")
    with time_limit(INDEX_TIMEOUT_S):
        shapes.complete(entry.name, entry.shape)
    done(entry)


def _is_there(entry: Entry) -> bool:
    there = Sum()
    for batch in raw_batches(entry.name):
        there.add_all(batch)
    return (there.documents, there.size, there.checksum) == (entry.documents, entry.bytes, entry.checksum)


class _Load:
    """Inserts documents in batches. Those that an earlier attempt has inserted are skipped."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._batch: list[Row] = []
        self._size = 0

    def add(self, document: memoryview) -> None:
        self._batch.append(RawBSONDocument(bytes(document)))  # type: ignore[arg-type]  # a mapping that PyMongo encodes
        self._size += len(document)
        if len(self._batch) >= MAX_DOCUMENTS or self._size >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        insert_missing(self._name, self._batch)
        self._batch, self._size = [], 0
